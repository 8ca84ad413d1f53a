// A fleet of checks and a remote that is away for hours, which pass in seconds: a minute of checks
// is published every few milliseconds. What CI runs is small; SONDE_OUTAGE_HOURS=6 is 1 000 checks,
// each with a run every minute of six hours.
#include "tests/support/scratch_folder.h"
#include "tests/unit/exporters/push_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>

using namespace sonde;
using namespace sonde::exporters;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t period_ms = 60'000;
constexpr std::array types{Type::metrics, Type::logs};

struct Size {
    std::size_t checks;
    std::size_t periods;             ///< of the outage
    std::size_t memory;              ///< publisher.max_queue_bytes
    std::size_t request;             ///< publisher.request_bytes
    std::chrono::milliseconds pace;  ///< what stands for a period while the remote is away
};

Size size()
{
    const config::PublisherConfig defaults;
    if (const char* hours = std::getenv("SONDE_OUTAGE_HOURS"))
        return {1000, std::strtoul(hours, nullptr, 10) * 60, defaults.max_queue_bytes,
            defaults.request_bytes, 150ms};
    return {40, 30, 80'000, 4'000, 20ms};
}

/// The series of a TCP check with a TLS handshake, as a probe labels them.
std::shared_ptr<const Identities> series_of_check(std::size_t check)
{
    std::vector<LabelSet> series;
    for (const char* name :
        {"probe_success", "probe_duration_seconds", "probe_dns_lookup_time_seconds",
            "probe_ip_protocol", "probe_ip_addr_hash", "probe_ssl_earliest_cert_expiry",
            "probe_ssl_last_chain_expiry_timestamp_seconds", "probe_failed_due_to_regex"})
        series.push_back({{"__name__", name}, {"config_version", "1764339600000000000"},
            {"instance", fmt::format("host{}.example.org:443", check)},
            {"job", fmt::format("job {}", check)}, {"probe", "Frankfurt"}});
    return std::make_shared<const Identities>(series);
}

/// A receiver that counts each run in, and keeps no more of it.
struct Outage : PushFixture {
    explicit Outage(const Size& its_size)
        : size{its_size},
          begin_ms{now_ms() - static_cast<std::int64_t>(2 * size.periods) * period_ms}
    {
        config.max_queue_bytes = size.memory;
        config.request_bytes = size.request;
        for (std::size_t check = 0; check < size.checks; ++check)
            series.push_back(series_of_check(check));
        timings.first_backoff = 1ms;  // 50 ms of a period of a minute
        timings.longest_backoff = size.pace / 2;
        const auto opened = start_with(folder.path("journal"));
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message));
    }
    ~Outage() override { end(0ms); }

    static std::int64_t now_ms()
    {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch())
            .count();
    }

    /// A run of each check.
    void publish_period()
    {
        for (auto& each : arrived)
            each.emplace_back(size.checks, std::uint8_t{0});
        for (auto& each : complete)
            each.push_back(0);
        for (std::size_t check = 0; check < size.checks; ++check) {
            publisher->publish(run(check, published));
            if (check % 64 == 63)
                settle();
        }
        ++published;
    }

    Payload run(std::size_t check, std::size_t period) const
    {
        Payload out;
        out.tenant = {Origin::file, 1};
        out.timestamp_ms = begin_ms + static_cast<std::int64_t>(period) * period_ms;
        out.series = series[check];
        out.run_of = CheckKey{Origin::file, static_cast<std::int64_t>(check)};
        for (std::size_t i = 0; i < out.series->size(); ++i)
            out.values.push_back(static_cast<double>(i * check + period) / 7);
        LogStream logs;
        logs.labels = {{"check", std::to_string(check)}, {"probe", "Frankfurt"}};
        const std::chrono::system_clock::time_point time{
            std::chrono::milliseconds{out.timestamp_ms}};
        for (const char* line : {"level=info msg=\"Beginning check\" type=tcp timeout_seconds=3\n",
                 "level=info msg=\"TLS handshake\" version=1.3 cipher=TLS_AES_128_GCM_SHA256\n",
                 "level=info msg=\"Check succeeded\" duration_seconds=0.042\n"})
            logs.lines.push_back({time, line});
        out.logs = std::move(logs);
        return out;
    }

    /// The loop runs for this long.
    void pass(std::chrono::milliseconds time)
    {
        const auto limit = Clock::now() + time;
        loop.restart();
        while (Clock::now() < limit) {
            loop.run_one_until(limit);
            loop.restart();
        }
        settle();
    }

    bool all_arrived(std::size_t period) const
    {
        return std::ranges::all_of(
            complete, [&](const auto& each) { return each[period] == size.checks; });
    }

    double backlog() const { return metric("sonde_publisher_backlog_records"); }

    // The remote's side.

    asio::awaitable<net::HttpReply> answer(const net::HttpRequest& request) override
    {
        const bool logs = request.target() == "/logs";
        ++requests;
        std::string raw;
        REQUIRE(snappy::Uncompress(request.body().data(), request.body().size(), &raw));
        newest_of_request = 0;
        for (WireFields field{raw}; field.next();)
            logs ? count_stream(field.bytes) : count_series(field.bytes);
        newest_of_requests.push_back(newest_of_request);
        co_return net::HttpReply{net::http::status::no_content, 11};
    }

    void count_series(std::string_view message)
    {
        std::string_view name;
        std::string_view job;
        std::int64_t at = 0;
        for (WireFields field{message}; field.next();) {
            std::array<std::string_view, 2> label;
            for (WireFields inner{field.bytes}; inner.next();)
                if (field.number == 1)
                    label.at(inner.number - 1) = inner.bytes;
                else if (inner.number == 2)
                    at = static_cast<std::int64_t>(inner.value);
            if (label[0] == "__name__")
                name = label[1];
            if (label[0] == "job")
                job = label[1].substr(4);
        }
        ++samples;
        if (name == "probe_success")
            count(Type::metrics, job, at);
    }

    void count_stream(std::string_view message)
    {
        std::string_view check;
        for (WireFields field{message}; field.next();) {
            if (field.number == 1) {
                check = field.bytes.substr(field.bytes.find("check=\"") + 7);
                check = check.substr(0, check.find('"'));
                continue;
            }
            ++lines;
            std::int64_t at = 0;
            bool is_first = false;
            for (WireFields entry{field.bytes}; entry.next();) {
                if (entry.number == 2)
                    is_first = entry.bytes.find("Beginning") != std::string_view::npos;
                for (WireFields time{entry.number == 1 ? entry.bytes : ""}; time.next();)
                    at += static_cast<std::int64_t>(
                        time.number == 1 ? time.value * 1000 : time.value / 1'000'000);
            }
            if (is_first)
                count(Type::logs, check, at);
        }
    }

    void count(Type type, std::string_view check_text, std::int64_t at)
    {
        std::size_t check = size.checks;
        std::from_chars(check_text.data(), check_text.data() + check_text.size(), check);
        const auto period = static_cast<std::size_t>((at - begin_ms) / period_ms);
        if (check >= size.checks || period >= arrived[0].size())
            FAIL("a run arrived that was not published");
        const auto of = static_cast<std::size_t>(type);
        complete.at(of)[period] += ++arrived.at(of)[period][check] == 1 ? 1 : 0;
        newest_of_request = std::max(newest_of_request, period);
    }

    const Size size;
    const std::int64_t begin_ms;
    tests::ScratchFolder folder;
    std::vector<std::shared_ptr<const Identities>> series;
    std::size_t published = 0;  ///< periods
    std::size_t requests = 0;
    std::size_t samples = 0;
    std::size_t lines = 0;
    std::size_t newest_of_request = 0;
    std::vector<std::size_t> newest_of_requests;  ///< period of the newest run in each
    std::array<std::vector<std::vector<std::uint8_t>>, 2> arrived;  ///< by type, period, check
    std::array<std::vector<std::size_t>, 2> complete;  ///< by type, period: checks that arrived
};

double seconds(Clock::duration time)
{
    return std::chrono::duration<double>(time).count();
}

}  // namespace

TEST_SUITE_BEGIN("exporters/outage");

TEST_CASE(
    "hours without a remote: all of it arrives, and what is new does not wait for what is old")
{
    Outage life{size()};
    const Size& size = life.size;
    life.publish_period();
    life.until([&] { return life.all_arrived(0); });

    life.go_down();
    const auto away_since = Clock::now();
    while (life.published <= size.periods) {
        life.publish_period();
        life.pass(size.pace);
    }
    const auto away = Clock::now() - away_since;
    const double on_disk = life.metric("sonde_journal_bytes");
    const double in_memory = life.metric("sonde_publisher_queue_bytes");
    const double behind = life.backlog();
    CHECK(life.newest_of_requests.back() == 0);  // nothing has come meanwhile
    CHECK(in_memory <= static_cast<double>(2 * size.memory));
    CHECK(behind > static_cast<double>(size.checks * size.periods));  // most of both types

    // Back again: within a period something arrives, and what arrives first is not the oldest.
    const auto begin = life.newest_of_requests.size();
    const std::size_t before = life.published;
    life.listen();
    const auto back = Clock::now();
    life.publish_period();
    life.until([&] { return life.newest_of_requests.size() > begin; });
    CHECK(life.newest_of_requests[begin] > before / 2);
    life.until([&] { return life.all_arrived(before); });
    const auto caught_up = Clock::now() - back;
    CHECK(life.backlog() > behind / 2);  // the new is there long before the old

    // From now on each period arrives while the backlog still does.
    std::size_t periods = 0;
    std::size_t most_requests = 0;  // from when a period is published to when it has arrived
    Clock::duration longest{};
    while (life.backlog() > 0) {
        const auto requests = life.requests;
        const auto since = Clock::now();
        const std::size_t period = life.published;
        life.publish_period();
        life.until([&] { return life.all_arrived(period); });
        const auto needed = life.requests - requests;
        most_requests = std::max(most_requests, needed);
        longest = std::max(longest, Clock::now() - since);
        ++periods;
        if (life.backlog() > 0)  // a period is a few requests, the backlog hundreds
            CHECK(needed < life.requests / 2);
        life.pass(size.pace / 4);
    }
    const auto drained = Clock::now() - back;
    life.until([&] { return life.all_delivered(); });

    CHECK(periods > 2);
    for (const Type type : types) {
        CHECK(life.lane(type).dropped == 0);
        for (const auto& period : life.arrived.at(static_cast<std::size_t>(type)))
            CHECK(std::ranges::all_of(period, [](std::uint8_t times) { return times == 1; }));
    }
    CHECK(life.publisher->ledger().recent_gaps().empty());
    const std::size_t runs = life.published * size.checks;
    CHECK(life.samples == runs * 8);
    CHECK(life.lines == runs * 3);
    MESSAGE(fmt::format(
        "{} checks, {} minutes away in {:.0f} s: {:.0f} records waited on disk, {:.0f} MB, and "
        "{:.1f} "
        "MB in memory; back: all of the present there after {:.2f} s, all of the past after {:.1f} "
        "s; meanwhile {} minutes were published and arrived within {:.2f} s, {} requests, at most; "
        "{} runs, {} samples, {} lines, each once, in {} requests",
        size.checks, size.periods, seconds(away), behind, on_disk / 1e6, in_memory / 1e6,
        seconds(caught_up), seconds(drained), periods, seconds(longest), most_requests, runs,
        life.samples, life.lines, life.requests));
}

TEST_SUITE_END();
