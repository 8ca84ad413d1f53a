#include "tests/support/run_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::value_of;

TEST_SUITE("checkers/ping")
{
    TEST_CASE_FIXTURE(tests::RunFixture, "loopback answers every request")
    {
        for (const std::string target : {"127.0.0.1", "::1"}) {
            CAPTURE(target);
            const auto report = run(target, R"({"ping": {}})");
            CHECK(report.verdict.message == "");
            CHECK(report.verdict.passed());
            CHECK(value_of(report, "probe_icmp_packets_sent_count") == 3);
            CHECK(value_of(report, "probe_icmp_packets_received_count") == 3);
            CHECK(value_of(report, "probe_icmp_reply_hop_limit") == 64);
            const double rtt = value_of(report, "probe_icmp_duration_seconds", {"rtt"});
            CHECK(rtt > 0);
            CHECK(report.duration_seconds <
                  report.wall_seconds);  // not the pacing, the target's time
            CHECK(report.duration_seconds >= rtt);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "an IPv4 literal is hashed as the peers do it")
    {
        const auto report = run("127.0.0.1", R"({"ping": {"ipVersion": "V4"}})");
        CHECK(value_of(report, "probe_ip_addr_hash") == 99635399);
        CHECK(value_of(report, "probe_ip_protocol") == 4);
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "payloads of all sizes come back whole, several runs at a time too")
    {
        for (const int size : {1, 8, 23, 24, 1400, 65499}) {
            CAPTURE(size);
            const auto report = run("127.0.0.1",
                fmt::format(R"({{"ping": {{"payloadSize": {}, "packetCount": 2}}}})", size));
            CHECK(report.verdict.message == "");
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "a literal of the excluded family has no address")
    {
        const auto report = run("127.0.0.1", R"({"ping": {"ipVersion": "V6"}})");
        CHECK(report.verdict.code == "resolve");
        CHECK(report.verdict.cause == "wrong_family");
        CHECK(value_of(report, "probe_icmp_duration_seconds", {"resolve"}) == 0);
        CHECK(value_of(report, "probe_icmp_packets_sent_count") == 0);
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "the lines are those of the reference agent")
    {
        const auto report = run("127.0.0.1", R"({"ping": {"packetCount": 1}})");
        const std::vector<std::string> expected = {"info Beginning check",
            "info Resolving target address", "info Resolved target address", "info Creating socket",
            "info Using source address", "info Creating ICMP packet",
            "info Waiting for reply packets", "info Found matching reply packet",
            "info Probe finished", "info Check succeeded"};
        CHECK(tests::lines_of(report) == expected);
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "a source that is not on this host is our fault, not the target's")
    {
        const auto report = run("127.0.0.1", R"({"ping": {"sourceIpAddress": "192.0.2.77"}})");
        CHECK(report.verdict.code == "socket");
        CHECK(report.verdict.cause == "local_source_address");
        CHECK(run("127.0.0.1", R"({"ping": {"sourceIpAddress": "nowhere"}})").verdict.code ==
              "bad_source_address");
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "series of the basic and full set: 15 raw gauges without sm_check_info")
    {
        const auto report = run("127.0.0.1", R"({"ping": {}})");
        CHECK(report.observed.samples().size() == 12);  // and success, duration, sm_check_info
    }
}
