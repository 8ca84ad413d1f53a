#include "tests/support/echo_target.h"
#include "tests/support/host_limits.h"
#include "tests/support/run_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using namespace std::chrono_literals;
using tests::EchoTarget;
using tests::icmp_message;
using tests::value_of;

namespace {

using Packets = std::vector<EchoTarget::Packet>;

constexpr auto sent = "probe_icmp_packets_sent_count";
constexpr auto received = "probe_icmp_packets_received_count";
constexpr auto least = "probe_icmp_duration_rtt_min_seconds";
constexpr auto most = "probe_icmp_duration_rtt_max_seconds";
constexpr auto deviation = "probe_icmp_duration_rtt_stddev_seconds";

EchoTarget::Packet reply(std::string_view rest)
{
    return {icmp_message(0, 0, rest)};
}

/// Pings 127.0.0.1 in a network in which the test answers. Without the rights for one, says so and
/// runs nothing.
struct NetworkFixture : tests::RunFixture {
    std::optional<checkers::Report> ping(EchoTarget::Answer answer,
        std::string_view settings = "{}", std::chrono::milliseconds timeout = 3s)
    {
        const tests::PrivateNetwork network;
        EchoTarget target{loop, std::move(answer)};
        if (!network.ready() || !target.ready()) {
            MESSAGE("not run: needs CAP_SYS_ADMIN and CAP_NET_RAW");
            return std::nullopt;
        }
        return run("127.0.0.1", fmt::format(R"({{"ping": {}}})", settings), timeout);
    }
};

std::ptrdiff_t count(const checkers::Report& report, std::string_view line)
{
    const auto lines = tests::lines_of(report);
    return std::count(lines.begin(), lines.end(), line);
}

Packets all_but_one(std::uint16_t sequence, std::string_view rest)
{
    return sequence == 1 ? Packets{} : Packets{reply(rest)};
}

}  // namespace

TEST_SUITE("checkers/ping")
{
    TEST_CASE_FIXTURE(NetworkFixture, "P4: one of three lost, one needed: passes at the deadline")
    {
        const auto report = ping(all_but_one, "{}", 300ms);
        if (!report)
            return;
        CHECK(report->verdict.message == "");
        CHECK(value_of(*report, sent) == 3);
        CHECK(value_of(*report, received) == 2);
        CHECK(report->duration_seconds < report->wall_seconds);
        CHECK(report->duration_seconds ==
              value_of(*report, "probe_icmp_duration_seconds", {"resolve"}) +
                  value_of(*report, "probe_icmp_duration_seconds", {"setup"}) +
                  value_of(*report, "probe_icmp_duration_seconds", {"rtt"}));
    }

    TEST_CASE_FIXTURE(NetworkFixture, "P5: one of three lost, three needed")
    {
        const auto report = ping(all_but_one, R"({"packetCount": 3})", 300ms);
        if (!report)
            return;
        CHECK(report->verdict.code == "icmp_loss");
        CHECK(report->verdict.cause == "partial_reply");
        CHECK(value_of(*report, sent) == 3);
        CHECK(value_of(*report, received) == 2);
        const double mean = (value_of(*report, least) + value_of(*report, most)) / 2;
        CHECK(value_of(*report, "probe_icmp_duration_seconds", {"rtt"}) == doctest::Approx(mean));
        CHECK(value_of(*report, deviation) ==
              doctest::Approx((value_of(*report, most) - value_of(*report, least)) / 2));
        CHECK(report->duration_seconds == report->wall_seconds);
    }

    TEST_CASE_FIXTURE(NetworkFixture, "P6: no reply at all")
    {
        const auto report =
            ping([](std::uint16_t, std::string_view) { return Packets{}; }, "{}", 300ms);
        if (!report)
            return;
        CHECK(report->verdict.code == "icmp_loss");
        CHECK(report->verdict.cause == "no_reply");
        CHECK(value_of(*report, sent) == 3);
        for (const char* name : {received, least, most, deviation})
            CHECK(value_of(*report, name) == 0);
        CHECK(value_of(*report, "probe_icmp_duration_seconds", {"rtt"}) == 0);
        CHECK_FALSE(tests::has(*report, "probe_icmp_reply_hop_limit"));
        CHECK(report->duration_seconds == report->wall_seconds);
    }

    TEST_CASE_FIXTURE(NetworkFixture, "P15: what comes first and is no reply of ours is ignored")
    {
        const auto answer = [](std::uint16_t, std::string_view rest) {
            const std::string ours{rest};
            std::string other_id = ours;
            other_id[0] = static_cast<char>(other_id[0] ^ 1);
            std::string other_token = ours;
            other_token[14] = static_cast<char>(other_token[14] ^ 1);
            std::string never_sent = ours;
            never_sent[3] = 9;
            return Packets{{icmp_message(3, 1, ours)}, {icmp_message(11, 0, ours)},
                {icmp_message(0, 1, ours)}, reply(other_id), reply(other_token), reply(never_sent),
                reply(ours + "x"), reply(ours.substr(0, ours.size() - 1)),
                {icmp_message(0, 0, ours), "127.0.0.2"}, reply(ours)};
        };
        const auto report = ping(answer);
        if (!report)
            return;
        CHECK(report->verdict.message == "");
        CHECK(value_of(*report, received) == 3);
        CHECK(count(*report, "info Found matching reply packet") == 3);
        CHECK(count(*report, "info Duplicate packet received") == 0);
    }

    TEST_CASE_FIXTURE(NetworkFixture, "P15: only foreign replies are none")
    {
        const auto report = ping(
            [](std::uint16_t, std::string_view rest) {
                return Packets{{icmp_message(0, 0, rest), "127.0.0.2"}};
            },
            "{}", 300ms);
        if (!report)
            return;
        CHECK(report->verdict.code == "icmp_loss");
        CHECK(value_of(*report, received) == 0);
    }

    TEST_CASE_FIXTURE(NetworkFixture, "P17: a reply that comes twice counts once")
    {
        const auto report = ping(
            [](std::uint16_t, std::string_view rest) { return Packets{reply(rest), reply(rest)}; });
        if (!report)
            return;
        CHECK(report->verdict.message == "");
        CHECK(value_of(*report, received) == 3);
        CHECK(count(*report, "info Found matching reply packet") == 3);
        CHECK(count(*report, "info Duplicate packet received") >= 2);  // the run ends at the third
    }

    TEST_CASE_FIXTURE(NetworkFixture, "the hop limit is told also when the first reply is lost")
    {
        const auto report = ping(
            [](std::uint16_t sequence, std::string_view rest) {
                return sequence == 0 ? Packets{} : Packets{reply(rest)};
            },
            "{}", 300ms);
        if (!report)
            return;
        CHECK(value_of(*report, "probe_icmp_reply_hop_limit") == 64);
        CHECK(value_of(*report, received) == 2);
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P10: larger than the interface, fragments or none")
    {
        const tests::PrivateNetwork network{1500, true};
        if (!network.ready()) {
            MESSAGE("not run: needs CAP_SYS_ADMIN");
            return;
        }
        const auto whole =
            run("127.0.0.1", R"({"ping": {"payloadSize": 9000, "dontFragment": true}})");
        CHECK(whole.verdict.code == "icmp_send");
        CHECK(whole.verdict.cause == "local_too_big");
        CHECK(value_of(whole, sent) == 0);
        const auto fragments = run("127.0.0.1", R"({"ping": {"payloadSize": 9000}})");
        CHECK(fragments.verdict.message == "");
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "neither kind of socket is permitted")
    {
        const tests::NoRawSockets none;
        const int datagrams = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
        if (datagrams >= 0) {
            ::close(datagrams);
            MESSAGE("not run: net.ipv4.ping_group_range has this process's group");
            return;
        }
        const auto report = run("127.0.0.1", R"({"ping": {}})");
        CHECK(report.verdict.code == "socket");
        CHECK(report.verdict.cause == "local_no_permission");
        CHECK(report.verdict.message.find("CAP_NET_RAW") != std::string::npos);
    }
}
