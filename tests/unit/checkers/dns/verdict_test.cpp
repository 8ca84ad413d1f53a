#include "tests/unit/checkers/dns/dns_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::dns_name;
using tests::DnsMessage;
using tests::DnsRecord;
using tests::value_of;

namespace {

/// A row of spec 02 §7.2 in which only settings and message matter: the same over UDP and TCP.
struct Row {
    const char* id;
    std::string more;  ///< settings besides the usual ones
    DnsMessage says;
    std::string_view code = "";
    std::string_view cause = "";
    std::vector<std::pair<std::string_view, double>> series = {};
};

DnsRecord a(std::uint32_t ttl, std::string owner = "www.example.org")
{
    return {std::move(owner), 1, ttl};
}

DnsRecord ns(std::string host)
{
    return {"isp.net", 2, 3600, dns_name(host)};
}

std::string rcodes(std::string_view names)
{
    return fmt::format(R"(, "validRCodes": [{}])", names);
}

/// The member for one section; patterns in JSON.
std::string section(std::string_view member, std::string_view matches, std::string_view lacks)
{
    return fmt::format(R"(, "{}": {{"failIfMatchesRegexp": [{}], "failIfNotMatchesRegexp": [{}]}})",
        member, matches, lacks);
}

const DnsMessage two_a{0, {a(3600), a(3600)}};
const DnsMessage full{0, {a(3600)}, {ns("ns1.isp.net"), ns("ns2.isp.net")},
    {a(3600, "ns1.isp.net"), a(3600, "ns1.isp.net"), a(3600, "ns2.isp.net")}};
const DnsRecord opt_badvers{"", 41, 0x01000000, "", 1232};
const DnsRecord alias{"www.example.org", 5, 300, dns_name("host.example.org")};

constexpr auto answers = "probe_dns_answer_rrs";
constexpr auto authorities = "probe_dns_authority_rrs";
constexpr auto additionals = "probe_dns_additional_rrs";
constexpr auto succeeded = "probe_dns_query_succeeded";

const std::vector<std::pair<std::string_view, double>> one_two_three{
    {answers, 1}, {authorities, 2}, {additionals, 3}};

std::vector<Row> rows()
{
    const std::string both = R"("SERVFAIL", "NXDOMAIN")";
    const std::string answer = "validateAnswerRRS";
    return {
        {"D1", "", two_a, "", "",
            {{answers, 2}, {authorities, 0}, {additionals, 0}, {succeeded, 1}}},
        {"D2", rcodes(both), two_a, "dns_rcode", "noerror", {{answers, 2}, {succeeded, 1}}},
        {"D3", section(answer, R"(".*7200.*")", R"(".*3600.*")"), two_a},
        {"D4", section("validateAdditionalRRS", "", R"(".*3600.*")"), two_a, "dns_rr_none", "",
            {{succeeded, 1}}},
        {"D5", "", full, "", "", one_two_three},
        {"D6", rcodes(both), full, "dns_rcode", "noerror", one_two_three},
        {"D7", section(answer, R"(".*3600.*")", R"(".*3600.*")"), {0, {a(3600)}},
            "dns_rr_forbidden"},
        {"D8", section(answer, R"(".*7200.*")", R"(".*7200.*")"), {0, {a(3600)}},
            "dns_rr_required"},
        {"D9", section("validateAuthorityRRS", "", R"("ns.*.isp.net")"), full},
        {"D10", section("validateAditionalRRS", "", R"("^ns.*.isp")"), full},
        {"D11", "", {2}, "dns_rcode", "servfail",
            {{answers, 0}, {authorities, 0}, {additionals, 0}, {succeeded, 1}}},
        {"D12", rcodes(R"("NOT_A_VALID_RCODE")"), {2}, "dns_rcode_name", "", {{succeeded, 1}}},
        {"D13", rcodes(R"("NOERROR", "BOGUS")"), two_a, "dns_rcode_name", "", {{succeeded, 1}}},
        {"D16", "", {3}, "dns_rcode", "nxdomain", {{succeeded, 1}}},
        {"D17", rcodes(R"("nxdomain")"), {3}, "dns_rcode_name", "", {{succeeded, 1}}},
        {"D17", rcodes(R"("BADVERS")"), {3}, "dns_rcode_name", "", {{succeeded, 1}}},
        {"D30", "", {0, {}, {}, {opt_badvers}}, "dns_rcode", "badsig", {{additionals, 1}}},
        {"D31", section(answer, "", R"("192\\.0\\.2\\.")"),
            {0, {alias, a(300, "host.example.org")}}, "dns_rr_required", "", {{answers, 2}}},
        {"D36", section(answer, "", R"("CLASS255")"),
            {0, {{"www.example.org", 1, 300, std::string(4, '\1'), 255}}}},
        {"D37", section(answer, "", R"("A\\t$")"), {0, {{"www.example.org", 1, 300, ""}}}, "", "",
            {{answers, 1}}},
        // Not in the table: what §3.4, §3.6 and §3.8 say besides.
        {"an empty answer passes", "", {0}, "", "", {{answers, 0}, {succeeded, 1}}},
        {"empty and forbidden passes", section(answer, R"(".")", ""), {0}},
        {"the public name of the list", R"(, "validRCode": ["NXDOMAIN"])", {3}},
        {"an alias of a code", rcodes(R"("NOTIMPL")"), {4}},
        {"authority is judged before additional",
            section("validateAuthorityRRS", R"("ns2")", "") +
                section("validateAdditionalRRS", R"(".")", ""),
            full, "dns_rr_forbidden"},
    };
}

}  // namespace

TEST_SUITE("checkers/dns")
{
    TEST_CASE_FIXTURE(tests::DnsFixture, "verdicts by message and settings, UDP and TCP")
    {
        for (const Row& row : rows())
            for (const std::string_view protocol : {"UDP", "TCP"}) {
                CAPTURE(row.id);
                CAPTURE(protocol);
                say(row.says);
                const auto report = ask(protocol, row.more);
                CHECK(report.verdict.code == row.code);
                CHECK(report.verdict.cause == row.cause);
                for (const auto& [name, value] : row.series)
                    CHECK(value_of(report, name) == value);
                CHECK_FALSE(tests::has(report, "probe_dns_reply_truncated"));
                CHECK(value_of(report, "probe_ip_addr_hash") == 3668918509);
            }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "every response code has its cause")
    {
        constexpr std::string_view causes[] = {"noerror", "formerr", "servfail", "nxdomain",
            "notimp", "refused", "yxdomain", "yxrrset", "nxrrset", "notauth", "notzone",
            "dsotypeni", "rcode_12", "rcode_13", "rcode_14", "rcode_15", "badsig", "badkey",
            "badtime", "badmode", "badname", "badalg", "badtrunc", "badcookie", "rcode_24"};
        for (unsigned code = 0; code < std::size(causes); ++code) {
            const DnsRecord opt{"", 41, (code >> 4U) << 24U, "", 1232};
            say({code & 15U, {}, {}, {opt}});
            const auto report = ask("UDP", rcodes(code == 8 ? R"("YXRRSET")" : R"("NXRRSET")"));
            CHECK(report.verdict.code == "dns_rcode");
            CHECK(report.verdict.cause == causes[code]);
            CHECK(tests::field_of(report, "rcode") == std::to_string(code));
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a failing section is named in the log")
    {
        say(full);
        const auto report = ask("UDP", section("validateAuthorityRRS", R"("ns2")", ""));
        CHECK(tests::field_of(report, "section") == "authority");
        CHECK(tests::field_of(report, "regexp") == "ns2");
        CHECK(tests::field_of(report, "reason") == "dns_rr_forbidden");
        CHECK(tests::lines_of(report).end()[-2] == "error Authority RRs validation failed");
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "the serial is that of the last SOA of the answer")
    {
        const auto soa = [](std::uint32_t serial) {
            return DnsRecord{"example.org", 6, 300,
                dns_name("ns.example.org") + dns_name("admin.example.org") +
                    tests::dns_u32(serial) + std::string(16, '\1')};
        };
        const std::string of_zone = R"(, "recordType": "SOA")";
        say({0, {soa(2024010101), soa(2024010102)}, {soa(7)}});
        CHECK(value_of(ask("UDP", of_zone), "probe_dns_serial") == 2024010102);
        CHECK_FALSE(tests::has(ask("UDP"), "probe_dns_serial"));
        say({3});
        CHECK(value_of(ask("UDP", of_zone), "probe_dns_serial") == 0);
    }
}
