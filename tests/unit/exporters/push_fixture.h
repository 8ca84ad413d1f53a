#pragma once

#include "agent/net/curl_multi.h"
#include "agent/net/http_server.h"
#include "agent/net/task_group.h"
#include "exporters/ledger.h"
#include "exporters/publisher.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>
#include <prometheus/registry.h>
#include <snappy.h>

#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace sonde::exporters {

/// One field after the other of a protobuf message.
class WireFields {
public:
    explicit WireFields(std::string_view message) : rest_{message} {}

    bool next()
    {
        if (rest_.empty())
            return false;
        const auto key = varint();
        number = static_cast<unsigned>(key >> 3U);
        if ((key & 7U) == 0) {
            value = varint();
        } else if ((key & 7U) == 1) {
            std::memcpy(&value, take(8).data(), 8);
        } else {
            if ((key & 7U) != 2)
                FAIL("not a field of these messages");
            bytes = take(varint());
        }
        return true;
    }

    unsigned number = 0;
    std::uint64_t value = 0;
    std::string_view bytes;

private:
    std::string_view take(std::size_t size)
    {
        if (size > rest_.size())
            FAIL("a field ends too early");
        const auto taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    std::uint64_t varint()
    {
        std::uint64_t out = 0;
        for (unsigned shift = 0;; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            out |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80)
                return out;
        }
    }

    std::string_view rest_;
};

/// A sample or a log line as it arrived; `of` is the series, or the stream with the line.
struct Arrived {
    std::string of;
    std::int64_t time_ms = 0;

    auto operator<=>(const Arrived&) const = default;
};

struct Push {
    Type type = Type::metrics;
    net::HttpRequest request;
    std::vector<Arrived> content;  ///< in the order of the request

    bool has(std::int64_t time_ms) const
    {
        for (const Arrived& each : content)
            if (each.time_ms == time_ms)
                return true;
        return false;
    }
};

/// What a remote says to a push.
struct Reply {
    int status = 200;
    std::string body = {};
    std::chrono::milliseconds after{0};
    std::optional<bool> stores = {};  ///< absent: as the status says
    std::vector<std::pair<std::string, std::string>> headers = {};
};

/// A tenant's remotes, played by a server of our own that decodes what it gets and counts how often
/// each sample and line was stored; and a publisher that pushes there, in memory or with a journal.
struct PushFixture : TenantSource {
    asio::io_context loop;
    asio::thread_pool workers{1};
    std::deque<Reply> script;  ///< the next answers; then `usual`
    std::function<Reply(const Push&)> usual = [](const Push&) { return Reply{}; };
    std::vector<Push> pushes;
    std::map<Arrived, int> stored;
    std::list<net::HttpServer> servers;  ///< the last one serves, the others end in peace
    std::uint16_t port = 0;
    net::CurlMulti curl{loop.get_executor()};
    net::HttpClient client{curl, {"", "", false}};
    config::PublisherConfig config;
    config::JournalConfig journal;
    Timings timings = quick();
    net::TaskGroup tasks{loop.get_executor()};
    std::unique_ptr<prometheus::Registry> registry;
    std::unique_ptr<Publisher> publisher;

    std::optional<Error> unknown;  ///< nobody knows the tenant
    std::string path = "/metrics";
    std::string password = "first";
    bool wants_logs = true;
    std::function<void()> when_suspected = [] {};
    int suspected = 0;
    std::set<std::pair<std::int64_t, std::int64_t>> told;  ///< check and due time

    static Timings quick()
    {
        using std::chrono::milliseconds;
        Timings timings;
        timings.after_429 = timings.after_401 = timings.after_fatal = milliseconds{10};
        timings.longest_401 = timings.longest_fatal = milliseconds{20};
        timings.first_backoff = milliseconds{1};
        timings.longest_backoff = milliseconds{10};
        timings.gather = timings.settle = milliseconds{1};
        timings.journal_retry = milliseconds{5};
        timings.tidy = milliseconds{20};
        return timings;
    }

    PushFixture() { listen(); }
    virtual ~PushFixture()
    {
        if (publisher)
            end(std::chrono::milliseconds{0});
        go_down();
        workers.join();
    }

    void listen()
    {
        net::HttpServer& server = servers.emplace_back(
            loop.get_executor(), [this](const net::HttpRequest& request, const net::HttpPeer&) {
                return answer(request);
            });
        port = *server.listen({"127.0.0.1", port});
    }
    void go_down()  ///< connections are refused from now on
    {
        servers.back().stop();
        settle();
    }

    void start()  ///< in memory only
    {
        registry = std::make_unique<prometheus::Registry>();
        publisher = std::make_unique<Publisher>(
            loop.get_executor(), client, *this, config, *registry, timings);
    }

    Result<> start_with(const std::string& directory)
    {
        journal.directory = directory;
        registry = std::make_unique<prometheus::Registry>();
        const Publisher::Disk disk{workers, journal};
        publisher = std::make_unique<Publisher>(
            loop.get_executor(), client, *this, config, *registry, disk, timings);
        std::optional<Result<>> opened;
        tasks.spawn(open(opened));
        until([&] { return opened.has_value(); });
        return *opened;
    }
    asio::awaitable<void> open(std::optional<Result<>>& opened)
    {
        const Result<> result = co_await publisher->open();
        opened.emplace(result);
    }

    void end(std::chrono::milliseconds limit)
    {
        bool done = false;
        tasks.spawn(shut_down(limit, done));
        until([&] { return done; });
        settle();
        publisher.reset();
    }
    asio::awaitable<void> shut_down(std::chrono::milliseconds limit, bool& done)
    {
        co_await publisher->shut_down(std::chrono::steady_clock::now() + limit);
        done = true;
    }

    /// What is ready to happen happens, and what follows from it.
    void settle()
    {
        do
            loop.restart();
        while (loop.poll() > 0);
    }

    void until(const std::function<bool()>& happened)
    {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (!happened()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_one_for(std::chrono::milliseconds{100});
        }
    }

    Payload payload(std::int64_t check, std::int64_t due_ms, bool with_logs)
    {
        Payload payload;
        payload.tenant = {Origin::file, 1};
        payload.timestamp_ms = due_ms;
        payload.series = series_of(check);
        payload.values = {1};
        payload.run_of = CheckKey{Origin::file, check};
        if (with_logs) {
            LogStream logs;
            logs.labels = {{"check", std::to_string(check)}};
            logs.lines.push_back(
                {std::chrono::system_clock::time_point{std::chrono::milliseconds{due_ms}},
                    "level=info\n"});
            payload.logs = std::move(logs);
        }
        return payload;
    }
    static std::shared_ptr<const Identities> series_of(std::int64_t check)
    {
        return std::make_shared<const Identities>(
            std::vector<LabelSet>{{{"__name__", "up"}, {"check", std::to_string(check)}}});
    }

    void publish(std::int64_t check, std::int64_t due_ms, bool with_logs = false)
    {
        told.emplace(check, due_ms);
        publisher->publish(payload(check, due_ms, with_logs));
    }

    static Arrived sample(std::int64_t check, std::int64_t due_ms)
    {
        return {"__name__=up,check=" + std::to_string(check) + ",", due_ms};
    }
    int times_stored(std::int64_t check, std::int64_t due_ms) const
    {
        const auto found = stored.find(sample(check, due_ms));
        return found == stored.end() ? 0 : found->second;
    }
    std::size_t samples_stored() const
    {
        std::size_t count = 0;
        for (const auto& [check, due_ms] : told)
            count += times_stored(check, due_ms) > 0 ? 1 : 0;
        return count;
    }
    /// Runs that are neither stored nor in a gap of their check's samples, and those that are both.
    std::pair<std::size_t, std::size_t> unexplained_and_contradicted() const
    {
        std::pair<std::size_t, std::size_t> out{0, 0};
        const auto gaps = publisher->ledger().recent_gaps();
        for (const auto& [check, due_ms] : told) {
            bool in_gap = false;
            for (const Gap& gap : gaps)
                in_gap = in_gap || (gap.check == CheckKey{Origin::file, check} && gap.samples &&
                                       gap.from_ms <= due_ms && due_ms <= gap.to_ms);
            const bool came = times_stored(check, due_ms) > 0;
            out.first += !in_gap && !came ? 1 : 0;
            out.second += in_gap && came ? 1 : 0;
        }
        return out;
    }
    /// How many samples or lines were stored once more than was needed.
    int doubled() const
    {
        int count = 0;
        for (const auto& [what, times] : stored)
            count += times - 1;
        return count;
    }
    std::size_t tries(Type type) const
    {
        std::size_t count = 0;
        for (const Push& push : pushes)
            count += push.type == type ? 1 : 0;
        return count;
    }

    const Ledger::Counts& lane(Type type)
    {
        return const_cast<Ledger&>(publisher->ledger()).lane({Origin::file, 1}, type);
    }
    bool all_delivered()
    {
        return lane(Type::metrics).waiting() == 0 && lane(Type::logs).waiting() == 0;
    }

    using Labels = std::map<std::string, std::string>;
    double metric(const std::string& name, const Labels& wanted = {}) const
    {
        double sum = 0;
        for (const auto& family : registry->Collect())
            if (family.name == name)
                for (const auto& metric : family.metric) {
                    auto missing = wanted;
                    for (const auto& label : metric.label)
                        if (const auto at = missing.find(label.name);
                            at != missing.end() && at->second == label.value)
                            missing.erase(at);
                    if (missing.empty())
                        sum += metric.counter.value + metric.gauge.value +
                               static_cast<double>(metric.histogram.sample_count);
                }
        return sum;
    }

    // The remote's side.

    virtual asio::awaitable<net::HttpReply> answer(const net::HttpRequest& request)
    {
        pushes.push_back(decode(request));
        const Push push = pushes.back();
        Reply reply;
        if (script.empty()) {
            reply = usual(push);
        } else {
            reply = script.front();
            script.pop_front();
        }
        if (reply.stores.value_or(reply.status / 100 == 2))
            for (const Arrived& each : push.content)
                ++stored[each];
        if (reply.after.count() > 0) {
            asio::steady_timer timer{loop, reply.after};
            co_await timer.async_wait(asio::use_awaitable);
        }
        net::HttpReply out{static_cast<net::http::status>(reply.status), 11};
        out.body() = reply.body;
        for (const auto& [name, value] : reply.headers)
            out.set(name, value);
        co_return out;
    }

    static Push decode(const net::HttpRequest& request)
    {
        Push push;
        push.request = request;
        push.type = request.target() == "/logs" ? Type::logs : Type::metrics;
        std::string raw;
        REQUIRE(snappy::Uncompress(request.body().data(), request.body().size(), &raw));
        for (WireFields field{raw}; field.next();) {
            REQUIRE(field.number == 1);
            if (push.type == Type::metrics)
                push.content.push_back(sample_in(field.bytes));
            else
                lines_in(field.bytes, push.content);
        }
        return push;
    }

    static Arrived sample_in(std::string_view series)
    {
        Arrived sample;
        for (WireFields field{series}; field.next();) {
            if (field.number == 1) {
                std::string_view pair[2];
                for (WireFields label{field.bytes}; label.next();)
                    pair[label.number - 1] = label.bytes;
                sample.of.append(pair[0]).append("=").append(pair[1]).append(",");
            }
            for (WireFields inner{field.number == 2 ? field.bytes : ""}; inner.next();)
                if (inner.number == 2)
                    sample.time_ms = static_cast<std::int64_t>(inner.value);
        }
        return sample;
    }

    static void lines_in(std::string_view stream, std::vector<Arrived>& lines)
    {
        std::string labels;
        for (WireFields field{stream}; field.next();) {
            if (field.number == 1)
                labels = field.bytes;
            if (field.number != 2)
                continue;
            Arrived line{labels, 0};
            for (WireFields entry{field.bytes}; entry.next();) {
                if (entry.number == 2)
                    line.of += entry.bytes;
                for (WireFields time{entry.number == 1 ? entry.bytes : ""}; time.next();)
                    line.time_ms += static_cast<std::int64_t>(
                        time.number == 1 ? time.value * 1000 : time.value / 1'000'000);
            }
            lines.push_back(std::move(line));
        }
    }

    asio::awaitable<Result<std::shared_ptr<const Tenant>>> tenant(TenantKey) override
    {
        if (unknown)
            co_return *unknown;
        const std::string base = fmt::format("http://127.0.0.1:{}", port);
        Tenant known;
        known.metrics =
            Remote{path.starts_with("/") ? base + path : path, "7", config::Secret{password}};
        if (wants_logs)
            known.events = Remote{base + "/logs", "7", config::Secret{password}};
        co_return std::make_shared<const Tenant>(known);
    }
    void suspect(TenantKey) override
    {
        ++suspected;
        when_suspected();
    }
};

/// Sum of the runs in gaps that fit.
inline std::uint64_t runs_in_gaps(const std::vector<Gap>& gaps, GapReason reason, Type type)
{
    std::uint64_t runs = 0;
    for (const Gap& gap : gaps)
        if (gap.reason == reason && (type == Type::metrics ? gap.samples : gap.events))
            runs += gap.runs;
    return runs;
}

}  // namespace sonde::exporters
