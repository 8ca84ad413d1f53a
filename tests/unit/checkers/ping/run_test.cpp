#include "tests/support/run_fixture.h"

#include <boost/asio/co_spawn.hpp>
#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::value_of;

namespace {

constexpr auto sent = "probe_icmp_packets_sent_count";
constexpr auto received = "probe_icmp_packets_received_count";
constexpr auto least = "probe_icmp_duration_rtt_min_seconds";
constexpr auto most = "probe_icmp_duration_rtt_max_seconds";
constexpr auto deviation = "probe_icmp_duration_rtt_stddev_seconds";

double phase(const checkers::Report& report, const char* name)
{
    return value_of(report, "probe_icmp_duration_seconds", {name});
}

}  // namespace

TEST_SUITE("checkers/ping")
{
    TEST_CASE_FIXTURE(tests::RunFixture, "P1, P7: loopback answers every request")
    {
        for (const std::string target : {"127.0.0.1", "::1"}) {
            CAPTURE(target);
            const auto report = run(target, R"({"ping": {}})");
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, sent) == 3);
            CHECK(value_of(report, received) == 3);
            CHECK(value_of(report, "probe_icmp_reply_hop_limit") == 64);
            CHECK(phase(report, "rtt") > 0);
            // Not the pacing of 50 ms, but the target's time.
            CHECK(report.duration_seconds ==
                  phase(report, "resolve") + phase(report, "setup") + phase(report, "rtt"));
            CHECK(report.wall_seconds >= 0.1);
            CHECK(report.observed.samples().size() == 12);  // and success, duration, sm_check_info
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P2, P3: as many requests as asked for, all required")
    {
        for (const int count : {1, 2}) {
            const auto report =
                run("127.0.0.1", fmt::format(R"({{"ping": {{"packetCount": {}}}}})", count));
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, sent) == count);
            CHECK(value_of(report, received) == count);
            if (count > 1)
                continue;
            CHECK(value_of(report, deviation) == 0);
            CHECK(value_of(report, least) == phase(report, "rtt"));
            CHECK(value_of(report, most) == phase(report, "rtt"));
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P8, P9: payloads of all sizes come back whole")
    {
        for (const int size : {1, 4, 8, 23, 24, 1400, 65499}) {
            CAPTURE(size);
            const auto report = run("127.0.0.1",
                fmt::format(R"({{"ping": {{"payloadSize": {}, "packetCount": 2}}}})", size));
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, received) == 2);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P11, P12: sources that cannot be used")
    {
        struct Row {
            std::string source;
            std::string_view code;
            std::string_view cause;
        };
        const Row rows[] = {{"not-an-ip", "bad_source_address", ""},
            {"::1", "socket", "local_source_address"},
            {"192.0.2.77", "socket", "local_source_address"}, {"127.0.0.1", "", ""}};
        for (const Row& row : rows) {
            const auto report = run(
                "127.0.0.1", fmt::format(R"({{"ping": {{"sourceIpAddress": "{}"}}}})", row.source));
            CHECK(report.verdict.code == row.code);
            CHECK(report.verdict.cause == row.cause);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P13: no address, and settings that cannot be used: zeros")
    {
        const auto family = run("127.0.0.1", R"({"ping": {"ipVersion": "V6"}})");
        CHECK(family.verdict.code == "resolve");
        CHECK(family.verdict.cause == "wrong_family");
        CHECK(value_of(family, "probe_ip_protocol") == 0);
        const auto target = run("no host", R"({"ping": {}})");
        CHECK(target.verdict.code == "bad_target");
        CHECK_FALSE(tests::has(target, "probe_ip_protocol"));
        for (const auto* report : {&family, &target}) {
            for (const char* name : {"resolve", "setup", "rtt"})
                CHECK(phase(*report, name) == 0);
            for (const char* name : {sent, received, least, most, deviation})
                CHECK(value_of(*report, name) == 0);
            CHECK_FALSE(tests::has(*report, "probe_icmp_reply_hop_limit"));
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P14: runs to one host at the same time")
    {
        for (const int size : {0, 4}) {  // with one shared socket, and with sockets of their own
            pb::Check check;
            check.set_target("127.0.0.1");
            check.mutable_settings()->mutable_ping()->set_payloadsize(size);
            const auto prepared = checkers::make(check);
            checkers::Subject subject;
            subject.target = "127.0.0.1";
            std::vector<checkers::Report> reports;
            for (int i = 0; i < 3; ++i)
                tests::asio::co_spawn(loop,
                    checkers::run_once(*prepared.kind, *prepared.checker, net, options, subject),
                    [&](std::exception_ptr failed, checkers::Report report) {
                        REQUIRE(failed == nullptr);
                        reports.push_back(std::move(report));
                    });
            loop.restart();
            loop.run_for(5s);
            REQUIRE(reports.size() == 3);
            for (const auto& report : reports) {
                CHECK(report.verdict.message == "");
                CHECK(value_of(report, received) == 3);
                for (const std::string& line : tests::lines_of(report))
                    CHECK(line != "info Duplicate packet received");
            }
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "P18: the unspecified address is answered by another")
    {
        const auto report = run("0.0.0.0", R"({"ping": {}})");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, sent) == 3);
        CHECK(value_of(report, received) == 3);
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
}
