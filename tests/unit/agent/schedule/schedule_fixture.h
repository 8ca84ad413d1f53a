#pragma once

#include "agent/schedule/schedule.h"
#include "tests/support/net_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <prometheus/registry.h>

#include <bit>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::tests {

using namespace std::chrono_literals;
using exporters::Gap;
using exporters::GapReason;
using exporters::Payload;
using schedule::CheckKey;
using schedule::Origin;
using schedule::Time;

/// Clocks that stand until a test moves them.
struct TestClocks {
    std::chrono::nanoseconds running = 1000h;
    std::chrono::nanoseconds wall = 1'767'268'800s;  // 2026-01-01 12:00 UTC
    std::chrono::nanoseconds each_look{};            ///< what passes whenever somebody looks
    std::uint64_t looks = 0;

    void pass(std::chrono::nanoseconds time)
    {
        running += time;
        wall += time;
    }
    schedule::Clocks clocks()
    {
        return {[this] {
                    if (!std::exchange(reads_both, false))
                        pass(each_look);
                    return running;
                },
            [this] {
                ++looks;
                reads_both = true;
                return wall;
            }};
    }
    bool reads_both = false;  ///< the wall clock has been read between two of the other
};

/// What the schedule accounts for.
struct Books final : schedule::Results {
    explicit Books(const TestClocks& its_clocks) : clocks{its_clocks} {}

    struct Entry {
        Payload payload;
        std::chrono::nanoseconds at;  ///< running time
    };

    void publish(Payload payload) override
    {
        published.push_back({std::move(payload), clocks.running});
    }
    void record(const Gap& gap) override { gaps.push_back(gap); }
    std::optional<std::int64_t> last_run(CheckKey check) const override
    {
        const auto found = last_runs.find(check);
        return found == last_runs.end() ? std::nullopt : std::optional{found->second};
    }

    const TestClocks& clocks;
    std::vector<Entry> published;
    std::vector<Gap> gaps;
    std::map<CheckKey, std::int64_t> last_runs;
};

/// One tenant for all, or the reason why there is none.
struct OneTenant final : exporters::TenantSource {
    asio::awaitable<Result<std::shared_ptr<const exporters::Tenant>>> tenant(
        exporters::TenantKey /*key*/) override
    {
        if (throws)
            throw std::runtime_error{"a bug"};
        if (missing)
            co_return Error{"tenant", "nobody knows it"};
        co_return std::make_shared<const exporters::Tenant>(known);
    }
    void suspect(exporters::TenantKey /*key*/) override {}

    exporters::Tenant known;
    bool missing = false;
    bool throws = false;
};

/// Accepts connections; those it holds hear "go" when it lets them.
class Target {
public:
    explicit Target(asio::io_context& loop) : acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}
    {
        asio::co_spawn(loop, accept(*this), [](const std::exception_ptr&) {});
    }

    std::uint16_t port() const { return port_; }
    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    /// Connections that wait for release().
    std::size_t held() const { return held_.size(); }
    std::size_t accepted() const { return accepted_; }
    void release()
    {
        for (auto& socket : std::exchange(held_, {})) {
            boost::system::error_code gone;
            asio::write(socket, asio::buffer("go\n", 3), gone);
        }
    }
    /// Nobody listens any more.
    void close()
    {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        held_.clear();
    }
    bool hold = false;

private:
    static asio::awaitable<void> accept(Target& self)
    {
        for (;;) {
            boost::system::error_code failed;
            auto socket = co_await self.acceptor_.async_accept(
                asio::redirect_error(asio::use_awaitable, failed));
            if (failed)
                co_return;
            ++self.accepted_;
            if (self.hold)
                self.held_.push_back(std::move(socket));
        }
    }

    asio::ip::tcp::acceptor acceptor_;
    std::uint16_t port_ = acceptor_.local_endpoint().port();
    std::vector<asio::ip::tcp::socket> held_;
    std::size_t accepted_ = 0;
};

/// A schedule on clocks that a test moves, with real checks of a target on loopback.
struct ScheduleFixture : NetFixture {
    TestClocks clocks;
    Books books{clocks};
    OneTenant tenants;
    Target target{loop};  ///< every run of it passes at once
    Target slow{loop};    ///< a run of it lasts until slow.release()
    config::ScheduleConfig config;
    config::CheckersConfig checkers;
    config::EgressConfig egress;
    std::shared_ptr<pb::Probe> probe = std::make_shared<pb::Probe>();
    std::unique_ptr<prometheus::Registry> registry;
    std::unique_ptr<schedule::Schedule> schedule;
    const Time start = now();

    ScheduleFixture()
    {
        slow.hold = true;
        probe->set_id(7);
        probe->set_name("Here");
        restart();
    }
    ~ScheduleFixture()
    {
        stop();
        target.close();
        slow.close();
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());  // ran out of work: not cut off
    }

    void stop()
    {
        if (!schedule)
            return;
        schedule->stop();
        until([this] { return in_flight() == 0; });
        loop.restart();
        loop.poll();  // the coroutines are gone, their ends are still to be told
    }

    /// Another process: what the books say of runs is all that is left.
    void restart()
    {
        stop();
        schedule.reset();
        registry = std::make_unique<prometheus::Registry>();
        schedule::Timings timings;
        timings.clocks = clocks.clocks();
        timings.longest_sleep = 1ms;  // it looks at the clocks as soon as they have moved
        schedule = std::make_unique<schedule::Schedule>(
            loop.get_executor(), net, tenants, books, config, checkers, *registry, egress, timings);
    }

    Time now() const { return Time{clocks.wall}; }
    std::int64_t ms(std::chrono::nanoseconds after_start) const
    {
        return schedule::to_ms(start + after_start);
    }

    pb::Check check(std::int64_t id, std::chrono::milliseconds period,
        std::chrono::milliseconds offset = 0ms) const
    {
        pb::Check check;
        check.set_id(id);
        check.set_tenantid(1);
        check.set_target(target.address());
        check.set_job("job");
        check.set_frequency(period.count());
        check.set_offset(offset.count());
        check.set_timeout(60'000);
        check.set_modified(1);
        check.mutable_settings()->mutable_tcp();
        return check;
    }
    pb::Check slow_check(std::int64_t id, std::chrono::milliseconds period,
        std::chrono::milliseconds offset = 0ms) const
    {
        pb::Check check = this->check(id, period, offset);
        check.set_target(slow.address());
        check.mutable_settings()->mutable_tcp()->add_queryresponse()->set_expect("^go");
        return check;
    }
    /// The same with a point of its grid at `to`: not all periods divide a day.
    static pb::Check shifted(pb::Check check, Time to)
    {
        check.set_offset(schedule::to_ms(to) % check.frequency());
        return check;
    }
    void put(const pb::Check& check) { schedule->put(Origin::api, check, probe); }
    void remove(std::int64_t id) { schedule->remove({Origin::api, id}); }

    /// Runs the loop until something is true; fails the test when that takes ten seconds.
    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(5ms);
        }
    }

    /// Runs until nothing is due any more and only those runs go on that wait for release().
    void settle(std::size_t waiting = 0)
    {
        auto quiet_since = clocks.looks;
        until([&] {
            if (slow.held() != waiting || in_flight() != waiting)
                quiet_since = clocks.looks;
            return clocks.looks >= quiet_since + 3;
        });
    }
    void advance(std::chrono::nanoseconds time, std::size_t waiting = 0)
    {
        clocks.pass(time);
        settle(waiting);
    }

    std::size_t in_flight() const
    {
        return static_cast<std::size_t>(metric("sonde_schedule_runs_in_flight"));
    }

    /// When the published runs of a check were due, in milliseconds after the start of the test.
    std::vector<std::int64_t> runs_of(std::int64_t id) const
    {
        std::vector<std::int64_t> out;
        for (const auto& entry : books.published)
            if (entry.payload.run_of == CheckKey{Origin::api, id})
                out.push_back(entry.payload.timestamp_ms - schedule::to_ms(start));
        return out;
    }
    /// The gaps: "overrun 13000..23000 2", in milliseconds after the start of the test.
    std::vector<std::string> gaps() const
    {
        std::vector<std::string> out;
        const auto zero = schedule::to_ms(start);
        for (const Gap& gap : books.gaps)
            out.push_back(fmt::format("{} {}..{} {}", name_of(gap.reason), gap.from_ms - zero,
                gap.to_ms - zero, gap.runs));
        return out;
    }

    /// The sum of a metric over its labels, or of the one that has this label value.
    double metric(std::string_view name, std::string_view value = {}) const
    {
        double sum = 0;
        for (const auto& family : registry->Collect())
            for (const auto& metric : family.metric) {
                bool meant = family.name == name && value.empty();
                for (const auto& label : metric.label)
                    meant |= family.name == name && label.value == value;
                sum += meant ? metric.counter.value + metric.gauge.value : 0;
            }
        return sum;
    }
};

inline bool has_series(const Payload& payload, std::string_view name)
{
    for (std::size_t i = 0; i < payload.series->size(); ++i)
        for (const auto& label : payload.series->labels(i))
            if (label.name == "__name__" && label.value == name)
                return true;
    return false;
}

/// Whether a payload ends its series: all values are the stale marker.
inline bool is_end(const Payload& payload)
{
    for (const double value : payload.values)
        if (std::bit_cast<std::uint64_t>(value) != 0x7ff0000000000002U)
            return false;
    return !payload.values.empty();
}

}  // namespace sonde::tests
