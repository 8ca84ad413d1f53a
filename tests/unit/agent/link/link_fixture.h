#pragma once

#include "agent/link/adhoc.h"
#include "agent/link/link.h"
#include "agent/link/state_file.h"
#include "agent/link/telemetry.h"
#include "agent/link/tenants.h"
#include "agent/net/task_group.h"
#include "agent/schedule/schedule.h"
#include "tests/support/fake_control.h"
#include "tests/support/net_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

using namespace std::chrono_literals;
using Known = std::map<std::int64_t, double>;  ///< checks on schedule: id to time of change

/// A check that is on schedule but does not come due.
inline pb::Check idle_check(std::int64_t id, double modified)
{
    pb::Check check;
    check.set_id(id);
    check.set_tenantid(1);
    check.set_target("127.0.0.1:1");
    check.set_job("job");
    check.set_frequency(3'600'000);
    check.set_offset(3'600'000);
    check.set_timeout(1000);
    check.set_enabled(true);
    check.add_probes(7);
    check.set_modified(modified);
    check.mutable_settings()->mutable_tcp();
    return check;
}

/// A check that passes at every run: `address` takes connections.
inline pb::Check busy_check(std::int64_t id, const std::string& address)
{
    pb::Check check = idle_check(id, 1);
    check.set_target(address);
    check.set_frequency(50);
    check.set_offset(1);
    check.set_timeout(50);
    return check;
}

/// A tenant with both remotes, as whole as the API has them.
inline pb::Tenant whole_tenant(std::int64_t id, double modified = 1)
{
    pb::Tenant out;
    out.set_id(id);
    out.set_modified(modified);
    out.mutable_metricsremote()->set_url("http://metrics/api/prom");
    out.mutable_eventsremote()->set_url("http://events/loki/api/v1");
    return out;
}

/// Takes what is published, in place of the publisher.
struct Recorder final : schedule::Results {
    void publish(exporters::Payload payload) override { payloads.push_back(std::move(payload)); }
    void record(const exporters::Gap& gap) override { gaps.push_back(gap); }
    std::optional<std::int64_t> last_run(exporters::CheckKey) const override { return {}; }

    /// Runs that have no result for a reason.
    std::uint64_t lost(exporters::GapReason reason) const
    {
        std::uint64_t runs = 0;
        for (const exporters::Gap& gap : gaps)
            runs += gap.reason == reason ? gap.runs : 0;
        return runs;
    }
    /// Results of runs, without repetitions and ends.
    std::size_t results() const
    {
        std::size_t count = 0;
        for (const exporters::Payload& payload : payloads)
            count += payload.run_of.has_value();
        return count;
    }

    std::vector<exporters::Payload> payloads;
    std::vector<exporters::Gap> gaps;
};

/// What is logged as long as this lives.
class LogCapture {
public:
    LogCapture() : file_{std::tmpfile()}, kept_{::dup(STDERR_FILENO)}
    {
        ::dup2(::fileno(file_), STDERR_FILENO);
    }
    ~LogCapture()
    {
        ::dup2(kept_, STDERR_FILENO);
        ::close(kept_);
        std::fclose(file_);
    }
    LogCapture(const LogCapture&) = delete;
    LogCapture& operator=(const LogCapture&) = delete;

    std::string text() const
    {
        std::string out(1 << 20, '\0');
        const auto size = ::pread(::fileno(file_), out.data(), out.size(), 0);
        out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return out;
    }
    std::size_t count(std::string_view what) const
    {
        const std::string all = text();
        std::size_t times = 0;
        for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1))
            ++times;
        return times;
    }

private:
    std::FILE* file_;
    int kept_;
};

/// A message of the change stream: `add(check)`, in the order of the calls.
struct Message {
    pb::Changes changes;

    Message& put(pb::CheckOperation operation, const pb::Check& check)
    {
        auto* change = changes.add_checks();
        change->set_operation(operation);
        *change->mutable_check() = check;
        return *this;
    }
    Message& add(const pb::Check& check) { return put(pb::CHECK_ADD, check); }
    Message& update(const pb::Check& check) { return put(pb::CHECK_UPDATE, check); }
    Message& remove(std::int64_t id)
    {
        pb::Check check;
        check.set_id(id);
        return put(pb::CHECK_DELETE, check);
    }
};

/// What an agent said it knows.
inline Known known_of(const pb::ProbeState& state)
{
    Known out;
    for (const pb::EntityRef& ref : state.checks())
        out[ref.id()] = ref.lastmodified();
    return out;
}

/// A link as the daemon has it, to a control plane of the tests, with a real schedule behind it.
struct LinkFixture : NetFixture {
    explicit LinkFixture(const FakeControl::Offers& offers = {}) : api{offers}
    {
        timings.first_backoff = timings.longest_backoff = 1ms;
        timings.state_delay = 1ms;
        pb::Probe probe;
        probe.set_id(7);
        probe.set_name("Here");
        api.set_probe(probe);
    }
    ~LinkFixture()
    {
        stop();
        workers.join();
    }

    FakeControl api;
    config::Secret token{"fake-token"};
    std::uint16_t port = api.port();
    std::size_t max_message_bytes = 16 << 20;
    std::string state_path;  ///< empty: nothing is kept
    std::string api_name = "api:1";
    std::chrono::milliseconds telemetry_every{3'600'000};
    link::AdHocLimits adhoc_limits;
    prometheus::Registry registry;
    link::Timings timings;
    asio::thread_pool workers{1};
    asio::ip::tcp::acceptor target{loop, {asio::ip::address_v4::loopback(), 0}};
    Recorder results;
    std::vector<exporters::Payload> answers;  ///< to ad-hoc checks
    std::optional<Error> given_up;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<link::Tenants> tenants;
    std::unique_ptr<schedule::Schedule> schedule;
    std::unique_ptr<link::Link> link;
    std::unique_ptr<link::AdHoc> adhoc;
    std::unique_ptr<link::Telemetry> telemetry;
    std::unique_ptr<link::StateFile> state_file;
    net::TaskGroup following{loop.get_executor()};
    net::TaskGroup ending{loop.get_executor()};

    /// Where connections are taken.
    std::string address() const
    {
        return "127.0.0.1:" + std::to_string(target.local_endpoint().port());
    }

    /// All parts: what is on schedule before they run, a test puts there.
    void build()
    {
        config::ApiConfig config;
        config.address = {"127.0.0.1", port};
        config.tls = false;
        config.token = token;
        config.max_message_bytes = max_message_bytes;
        channel = *link::open_channel(config, timings);
        const auto executor = loop.get_executor();
        tenants = std::make_unique<link::Tenants>(
            executor, std::vector<config::TenantConfig>{}, channel, token, timings);
        schedule = std::make_unique<schedule::Schedule>(executor, net, *tenants, results,
            config::ScheduleConfig{}, config::CheckersConfig{}, registry, config::EgressConfig{},
            schedule::Timings{});
        link = std::make_unique<link::Link>(
            executor, channel, token, *schedule, *tenants, registry, timings);
        adhoc = std::make_unique<link::AdHoc>(
            executor, channel, token, net, *tenants,
            [this](exporters::Payload answer) { answers.push_back(std::move(answer)); },
            config::CheckersConfig{}, registry, timings, adhoc_limits);
        telemetry = std::make_unique<link::Telemetry>(
            executor, channel, token, *tenants, registry, telemetry_every, timings);
        if (state_path.empty())
            return;
        state_file =
            std::make_unique<link::StateFile>(executor, workers, state_path, api_name, timings);
        link->remember_in(*state_file);
    }

    void start()
    {
        if (!link)
            build();
        following.spawn(follow(*this));
        if (state_file)
            following.spawn(state_file->run());
    }

    void start_adhoc()
    {
        if (!link)
            build();
        following.spawn(adhoc->run());
    }

    static asio::awaitable<void> follow(LinkFixture& self)
    {
        self.given_up = co_await self.link->run();
    }

    static asio::awaitable<void> last_words(LinkFixture& self)
    {
        co_await self.telemetry->push_last(10ms);
        if (self.state_file)
            co_await self.state_file->save();
    }

    /// As the daemon ends: nothing may be left to wait for, whatever the API does.
    void stop()
    {
        if (!link)
            return;
        following.cancel();
        schedule->stop();
        tenants->stop();
        ending.spawn(last_words(*this));
        run_out();
        CHECK(following.empty());
        CHECK(ending.empty());
        CHECK_FALSE(link->connected());
        link.reset();
        adhoc.reset();
        telemetry.reset();
        until([this] { return api.seen().under_way == 0; });
    }

    void run_out()
    {
        loop.restart();
        loop.run_for(10s);
        CHECK(loop.stopped());  // ran out of work: not cut off
    }

    /// Runs the loop until something is true; fails the test when that takes ten seconds.
    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + 10s;
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(5ms);  // the API is on threads of its own: it does not wake us
        }
    }

    Known on_schedule() const
    {
        Known out;
        for (const auto& [id, modified] : schedule->known(schedule::Origin::api))
            out[id] = modified;
        return out;
    }
    void until_on_schedule(const Known& wanted)
    {
        until([&] { return on_schedule() == wanted; });
    }
    void until_connected()
    {
        until([&] { return link->connected() && !api.seen().followed.empty(); });
    }
    void until_sessions(std::size_t count)
    {
        until([&] { return api.seen().followed.size() >= count; });
    }

    /// The sum of a metric over its labels, or of those that have one of this value.
    double metric(std::string_view name, std::string_view value = {}) const
    {
        double sum = 0;
        for (const auto& family : registry.Collect())
            for (const auto& metric : family.metric) {
                bool meant = family.name == name && value.empty();
                for (const auto& label : metric.label)
                    meant |= family.name == name && label.value == value;
                sum += meant ? metric.counter.value + metric.gauge.value : 0;
            }
        return sum;
    }
};

}  // namespace sonde::tests
