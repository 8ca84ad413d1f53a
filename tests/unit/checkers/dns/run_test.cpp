#include "checkers/dns/query.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::DatagramServer;
using tests::value_of;

namespace {

/// A response to `query`: flags and counts set, records appended.
std::string response(std::string_view query, unsigned rcode, unsigned answers,
    const std::string& records, unsigned flags = 0x8180)
{
    std::string out{query};
    flags |= rcode;
    out[2] = static_cast<char>(flags >> 8U);
    out[3] = static_cast<char>(flags & 0xffU);
    out[7] = static_cast<char>(answers);
    return out + records;
}

const std::string a_record{"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x07", 16};

struct DnsFixture : tests::RunFixture {
    checkers::Report ask(DatagramServer::Answer answer, std::string more = "",
        std::chrono::milliseconds timeout = 3s)
    {
        server.emplace(loop, std::move(answer));
        return run("www.example.org",
            fmt::format(
                R"({{"dns": {{"server": "127.0.0.1", "port": {}, "recordType": "A", "protocol": "UDP"{}}}}})",
                server->port(), more),
            timeout);
    }
    std::optional<DatagramServer> server;
};

}  // namespace

TEST_SUITE("checkers/dns")
{
    TEST_CASE_FIXTURE(DnsFixture, "an answer: series, phases, lines")
    {
        const auto report =
            ask([](std::string_view q) { return std::vector{response(q, 0, 1, a_record)}; });
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_dns_answer_rrs") == 1);
        CHECK(value_of(report, "probe_dns_query_succeeded") == 1);
        CHECK(value_of(report, "probe_dns_duration_seconds", {"request"}) > 0);
        CHECK(report.observed.samples().size() == 10);
        bool shown = false;
        for (const auto& entry : report.log)
            for (const auto& field : entry.fields)
                shown = shown || field.value == "www.example.org.\t300\tIN\tA\t192.0.2.7";
        CHECK(shown);
    }

    TEST_CASE_FIXTURE(DnsFixture, "foreign datagrams are ignored, the right one is awaited")
    {
        const auto report = ask([](std::string_view q) {
            std::string other = response(q, 0, 0, "");
            other[0] = static_cast<char>(other[0] ^ 1);
            return std::vector<std::string>{
                "short", other, std::string{q}, response(q, 0, 1, a_record)};
        });
        CHECK(report.verdict.message == "");
    }

    TEST_CASE_FIXTURE(DnsFixture, "verdicts by response code and records")
    {
        const auto nxdomain = [](std::string_view q) { return std::vector{response(q, 3, 0, "")}; };
        const auto found = [](std::string_view q) {
            return std::vector{response(q, 0, 1, a_record)};
        };
        const auto refused = ask(nxdomain);
        CHECK(refused.verdict.code == "dns_rcode");
        CHECK(refused.verdict.cause == "nxdomain");
        CHECK(value_of(refused, "probe_dns_query_succeeded") == 1);
        CHECK(ask(nxdomain, R"(, "validRCode": ["NXDOMAIN"])").verdict.message == "");
        CHECK(ask(found, R"(, "validRCodes": ["NOERROR", "NOSUCH"])").verdict.code ==
              "dns_rcode_name");
        CHECK(ask(found, R"(, "validateAnswerRRS": {"failIfMatchesRegexp": ["192\\.0\\.2"]})")
                  .verdict.code == "dns_rr_forbidden");
        CHECK(ask(found, R"(, "validateAnswerRRS": {"failIfNotMatchesRegexp": ["IN\tA\t192"]})")
                  .verdict.message == "");
        CHECK(ask(found, R"(, "validateAnswerRRS": {"failIfNotMatchesRegexp": ["10\\."]})")
                  .verdict.code == "dns_rr_required");
        CHECK(ask(found, R"(, "validateAuthorityRRS": {"failIfNotMatchesRegexp": ["."]})")
                  .verdict.code == "dns_rr_none");
    }

    TEST_CASE_FIXTURE(DnsFixture, "a response that cannot be read, and none at all")
    {
        const auto cut = ask([](std::string_view q) {
            return std::vector{response(q, 0, 1, a_record.substr(0, 13))};
        });
        CHECK(cut.verdict.code == "dns_response");
        CHECK(cut.verdict.cause == "malformed");
        const auto silent =
            ask([](std::string_view) { return std::vector<std::string>{}; }, "", 100ms);
        CHECK(silent.verdict.code == "timeout");
        CHECK(silent.verdict.cause == "request");
        CHECK(value_of(silent, "probe_dns_duration_seconds", {"request"}) > 0.05);
        const auto closed = run(
            "www.example.org", R"({"dns": {"server": "127.0.0.1", "port": 1, "protocol": "UDP"}})");
        CHECK(closed.verdict.code == "connect");
        CHECK(closed.verdict.cause == "refused");
    }

    TEST_CASE_FIXTURE(DnsFixture, "a truncated response is told and judged by the normal rules")
    {
        const auto report = ask(
            [](std::string_view q) { return std::vector{response(q, 0, 1, a_record, 0x8380)}; });
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_dns_reply_truncated") == 1);
    }

    TEST_CASE("names on the wire")
    {
        using checkers::dns::encode_name;
        CHECK(*encode_name("a.bc") == std::string{"\1a\2bc\0", 6});
        CHECK(*encode_name("a.bc.") == std::string{"\1a\2bc\0", 6});
        CHECK(*encode_name("a\\.b.c") == std::string{"\3a.b\1c\0", 7});
        CHECK(*encode_name("\\065.c") == std::string{"\1A\1c\0", 5});
        CHECK(encode_name("a..b").has_error());
        CHECK(encode_name(std::string(64, 'x') + ".c").has_error());
        CHECK(checkers::dns::reverse_name("192.0.2.7") == "7.2.0.192.in-addr.arpa.");
        CHECK(checkers::dns::reverse_name("www") == std::nullopt);
    }
}
