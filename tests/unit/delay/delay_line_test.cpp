#include "tests/support/delay_line.h"
#include "tests/support/host_limits.h"
#include "tests/support/run_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using namespace std::chrono_literals;
using tests::DelayLine;
using tests::value_of;
using Way = DelayLine::Way;

namespace {

constexpr auto sent = "probe_icmp_packets_sent_count";
constexpr auto received = "probe_icmp_packets_received_count";

/// Checks through a line, in a network in which there is nothing else. Without the rights for one,
/// says so.
struct LineFixture : tests::RunFixture {
    tests::PrivateNetwork network{65536, true};
    std::optional<DelayLine> line;

    bool lay(const Way& there, const Way& back = {}) { return lay({{there, back}}); }
    bool lay(std::vector<DelayLine::Path> paths)
    {
        line.emplace(std::move(paths));
        if (network.ready() && line->ready())
            return true;
        MESSAGE("not run: needs CAP_SYS_ADMIN and CAP_NET_ADMIN");
        return false;
    }

    checkers::Report ping(std::string_view settings, std::chrono::milliseconds timeout = 3s)
    {
        return run(DelayLine::target(), fmt::format(R"({{"ping": {}}})", settings), timeout);
    }

    /// `kind` at a port of the far end.
    checkers::Report run_at(
        std::string_view kind, std::uint16_t port, std::chrono::milliseconds timeout = 3s)
    {
        const std::string at = fmt::format("{}:{}", DelayLine::target(), port);
        if (kind == "dns")
            return run("www.example.com",
                fmt::format(R"({{"dns": {{"server": "{}", "port": {}, "protocol": "UDP"}}}})",
                    DelayLine::target(), port),
                timeout);
        return run(kind == "http" ? "http://" + at + "/" : at,
            fmt::format(R"({{"{}": {{}}}})", kind), timeout);
    }
};

/// Accepts connections, as kernels do for a listening socket, and says nothing.
struct SilentServer {
    explicit SilentServer(tests::asio::io_context& loop)
        : acceptor{loop, {tests::asio::ip::tcp::v4(), 0}}
    {}
    std::uint16_t port() const { return acceptor.local_endpoint().port(); }

    tests::asio::ip::tcp::acceptor acceptor;
};

/// The `seq` of the lines with that text, in order.
std::vector<std::string> sequences(const checkers::Report& report, std::string_view text)
{
    std::vector<std::string> out;
    for (const auto& entry : report.log)
        if (entry.message == text)
            for (const auto& field : entry.fields)
                if (field.key == "seq")
                    out.push_back(field.value);
    return out;
}

double phase(const checkers::Report& report, std::string_view name)
{
    for (const auto& each : report.phases)
        if (each.name == name && each.reached)
            return each.seconds;
    return -1;
}

}  // namespace

TEST_SUITE("delay")
{
    using Sequences = std::vector<std::string>;

    TEST_CASE_FIXTURE(LineFixture, "the length of the line is in what is reported")
    {
        if (!lay({.delay = 12ms}, {.delay = 8ms}))
            return;
        const SilentServer server{loop};
        const auto tcp = run_at("tcp", server.port());
        CHECK(tcp.verdict.message == "");
        CHECK(phase(tcp, "connect") >= 0.020);
        const auto echoes = ping(R"({"packetCount": 3})");
        CHECK(echoes.verdict.message == "");
        CHECK(value_of(echoes, "probe_icmp_duration_rtt_min_seconds") >= 0.020);
        CHECK(phase(echoes, "rtt") >= 0.020);
    }

    TEST_CASE_FIXTURE(LineFixture, "paths have lengths of their own")
    {
        const DelayLine::Path paths[] = {{}, {{.delay = 40ms}, {}}};
        if (!lay(std::vector<DelayLine::Path>(std::begin(paths), std::end(paths))))
            return;
        const auto far = run(DelayLine::target(1), R"({"ping": {"packetCount": 1}})");
        CHECK(value_of(far, "probe_icmp_duration_rtt_min_seconds") >= 0.040);
        CHECK(run(DelayLine::target(0), R"({"ping": {"packetCount": 1}})").verdict.passed());
        CHECK(line->take_late(0).back.size() == 1);
        CHECK(line->take_late(1).there.size() == 1);
        CHECK(line->take_late(1).there.empty());
    }

    TEST_CASE_FIXTURE(LineFixture, "the far end is a kernel: a closed port refuses")
    {
        if (!lay({.delay = 1ms}))
            return;
        const auto report = run_at("tcp", 1);
        CHECK(report.verdict.code == "connect");
        CHECK(report.verdict.cause == "refused");
        CHECK(phase(report, "connect") == -1);
    }

    TEST_CASE_FIXTURE(LineFixture, "a black hole: the deadline, in the phase that was open")
    {
        struct Row {
            std::string_view kind;
            std::string_view phase;
        };
        const Row rows[] = {{"tcp", "connect"}, {"http", "connect"}, {"dns", "request"}};
        for (const bool on_the_way_back : {false, true}) {
            CAPTURE(on_the_way_back);
            const Way hole{.lost = 1};
            if (!(on_the_way_back ? lay({}, hole) : lay(hole)))
                return;
            const SilentServer server{loop};
            for (const Row& row : rows) {
                CAPTURE(row.kind);
                // DNS is answered, by the far kernel: nobody listens. Its answer is lost as well.
                const auto report = run_at(row.kind, server.port(), 250ms);
                CHECK(report.verdict.code == "timeout");
                CHECK(report.verdict.cause == row.phase);
            }
            const auto report = ping("{}", 250ms);
            CHECK(report.verdict.code == "icmp_loss");
            CHECK(report.verdict.cause == "no_reply");
            CHECK(value_of(report, sent) == 3);
            CHECK(value_of(report, received) == 0);
        }
    }

    TEST_CASE_FIXTURE(LineFixture, "P4, P5: one of three is lost, there or back")
    {
        for (const bool on_the_way_back : {false, true}) {
            CAPTURE(on_the_way_back);
            const Way lossy{.lost = 2};
            if (!(on_the_way_back ? lay({}, lossy) : lay(lossy)))
                return;
            const auto enough = ping("{}", 400ms);
            CHECK(enough.verdict.message == "");
            CHECK(value_of(enough, sent) == 3);
            CHECK(value_of(enough, received) == 2);
            CHECK(sequences(enough, "Found matching reply packet") == Sequences{"0", "2"});
        }
        if (!lay({}, {.lost = 2}))
            return;
        const auto all_needed = ping(R"({"packetCount": 3})", 400ms);
        CHECK(all_needed.verdict.code == "icmp_loss");
        CHECK(all_needed.verdict.cause == "partial_reply");
        CHECK(value_of(all_needed, received) == 2);
    }

    TEST_CASE_FIXTURE(LineFixture, "replies out of order count once each")
    {
        if (!lay({}, {.overtaken = 2}))
            return;
        const auto report = ping(R"({"packetCount": 3})");
        CHECK(report.verdict.message == "");
        CHECK(sequences(report, "Found matching reply packet") == Sequences{"0", "2", "1"});
        CHECK(sequences(report, "Duplicate packet received").empty());
        CHECK(value_of(report, received) == 3);
    }

    TEST_CASE_FIXTURE(LineFixture, "duplicates are told of and count once")
    {
        for (const bool on_the_way_back : {false, true}) {
            CAPTURE(on_the_way_back);
            const Way doubling{.doubled = 1};
            if (!(on_the_way_back ? lay({}, doubling) : lay(doubling)))
                return;
            const auto report = ping(R"({"packetCount": 3})");
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, received) == 3);
            CHECK(sequences(report, "Found matching reply packet") == Sequences{"0", "1", "2"});
            const auto twice = sequences(report, "Duplicate packet received");
            REQUIRE(twice.size() >= 2);  // the run may end between the last and its double
            CHECK(twice[0] == "0");
            CHECK(twice[1] == "1");
        }
    }

    TEST_CASE_FIXTURE(LineFixture, "TCP puts in order what the line has not")
    {
        if (!lay({.delay = 1ms, .doubled = 1}, {.delay = 1ms, .doubled = 2, .overtaken = 3}))
            return;
        const SilentServer server{loop};
        CHECK(run_at("tcp", server.port()).verdict.message == "");
    }
}
