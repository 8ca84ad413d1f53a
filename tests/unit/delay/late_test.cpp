// What is reported over a line of known length by a loop that comes late to everything.
#include "tests/support/delay_line.h"
#include "tests/support/host_limits.h"
#include "tests/support/late_loop.h"
#include "tests/support/run_fixture.h"

#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::DelayLine;

namespace {

constexpr auto length = 20ms;  // there and back
constexpr auto turn = 120ms;   // of the loop; much longer

struct LateOnTheLine : tests::RunFixture {
    tests::PrivateNetwork network{65536, true};
    std::optional<DelayLine> line;
    tests::asio::ip::tcp::acceptor server{loop, {tests::asio::ip::tcp::v4(), 0}};

    bool lay(const DelayLine::Way& there)
    {
        line.emplace(std::vector<DelayLine::Path>{{there, {.delay = length / 2}}});
        if (network.ready() && line->ready())
            return true;
        MESSAGE("not run: needs CAP_SYS_ADMIN and CAP_NET_ADMIN");
        return false;
    }
    std::string target() const
    {
        return fmt::format("{}:{}", DelayLine::target(), server.local_endpoint().port());
    }
};

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
    TEST_CASE_FIXTURE(LateOnTheLine, "a late loop reports the line, not itself")
    {
        if (!lay({.delay = length / 2}))
            return;
        tests::make_late(loop, turn);
        constexpr double least = std::chrono::duration<double>(length).count();
        constexpr double most = std::chrono::duration<double>(turn).count() / 2;
        const auto ping = run(DelayLine::target(), R"({"ping": {"packetCount": 1}})");
        CHECK(phase(ping, "rtt") >= least);
        CHECK(phase(ping, "rtt") < most);
        const auto tcp = run(target(), R"({"tcp": {}})");
        CHECK(phase(tcp, "connect") >= least);
        CHECK(phase(tcp, "connect") < most);
        const auto http = run("http://" + target() + "/", R"({"http": {}})", turn * 20);
        CHECK(http.verdict.cause == "processing");  // nobody answers
        CHECK(phase(http, "connect") >= least);
        CHECK(phase(http, "connect") < most);
        for (const auto* report : {&ping, &tcp, &http})
            CHECK(report->probe_late > turn / 3);
    }

    TEST_CASE_FIXTURE(LateOnTheLine, "a SYN that is sent again: the whole wait is the network's")
    {
        if (!lay({.delay = length / 2, .lost = 2}))
            return;
        CHECK(run(DelayLine::target(), R"({"ping": {"packetCount": 1}})").verdict.passed());
        const auto report = run(target(), R"({"tcp": {}})");  // its SYN is the second packet
        CHECK(report.verdict.passed());
        CHECK(phase(report, "connect") >= 1);
    }
}
