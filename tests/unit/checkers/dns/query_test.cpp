#include "checkers/dns/query.h"
#include "tests/support/real_servers.h"
#include "tests/unit/checkers/dns/dns_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::dns_name;
using tests::dns_response;
using tests::DnsRecord;
using tests::value_of;

namespace {

/// The name that a query asks for, on the wire.
std::string asked_name(const std::string& query)
{
    return query.substr(12, query.size() - 16);
}

constexpr auto zone = R"(
@       3600 SOA ns1 hostmaster 2024010101 7200 3600 1209600 300
@       3600 NS ns1
@       3600 MX 10 mx1
@        300 TXT "v=spf1 -all" "second string"
@        300 CAA 0 issue "ca.example"
ns1     3600 A 127.0.0.1
mx1     3600 A 192.0.2.25
www      300 A 192.0.2.7
www      300 A 192.0.2.8
www       60 AAAA 2001:db8::1
alias    300 CNAME WWW
_sip._tcp 60 SRV 1 2 5060 www
7       3600 PTR host.example.net.
large     60 TXT )";

}  // namespace

TEST_SUITE("checkers/dns")
{
    TEST_CASE_FIXTURE(tests::DnsFixture, "the query: one question, RD, nothing else")
    {
        say({0, {{}}});
        target = "Www.Example.org";  // letter case is kept
        for (const std::string_view protocol : {"UDP", "TCP"})
            CHECK(ask(protocol, R"(, "recordType": "MX")").verdict.message == "");
        REQUIRE(server->received().size() == 2);
        for (const std::string& query : server->received())
            CHECK(query.substr(2) == std::string{"\1\0\0\1\0\0\0\0\0\0", 10} +
                                         dns_name("Www.Example.org") + tests::dns_u16(15) +
                                         tests::dns_u16(1));
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "record types and their numbers")
    {
        constexpr std::pair<std::string_view, char> types[] = {{"ANY", '\xff'}, {"A", 1},
            {"AAAA", 28}, {"CNAME", 5}, {"MX", 15}, {"NS", 2}, {"PTR", 12}, {"SOA", 6}, {"SRV", 33},
            {"TXT", 16}};
        say({0});
        for (const auto& [name, number] : types) {
            CHECK(ask("UDP", fmt::format(R"(, "recordType": "{}")", name)).verdict.passed());
            const std::string& query = server->received().back();
            CHECK(query[query.size() - 3] == number);
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D32: PTR of an address asks for its reverse name")
    {
        struct Row {
            std::string target;
            std::string_view type;
            std::string asked;
        };
        const Row rows[] = {{"192.0.2.7", "PTR", "7.2.0.192.in-addr.arpa"},
            {"2001:db8::1", "PTR",
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
            {"host.example.org", "PTR", "host.example.org"}, {"192.0.2.7", "A", "192.0.2.7"},
            {"org.", "A", "org"}, {"_srv._tcp.example.org", "A", "_srv._tcp.example.org"}};
        say({0});
        for (const Row& row : rows) {
            target = row.target;
            const auto report = ask("UDP", fmt::format(R"(, "recordType": "{}")", row.type));
            CHECK(report.verdict.message == "");
            CHECK(asked_name(server->received().back()) == dns_name(row.asked));
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a name that cannot be asked for")
    {
        say({0});
        for (const std::string& name : {std::string{"foo..bar"}, std::string(64, 'x') + ".org", [] {
                                            std::string name;
                                            for (int i = 0; i < 5; ++i)
                                                name += std::string(50, 'y') + '.';
                                            return name + "org";
                                        }()}) {
            target = name;
            const auto report = ask("UDP");
            CHECK(report.verdict.code == "dns_query");
            CHECK(report.verdict.cause == "");
            CHECK(server->received().empty());
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D14: a server with both families is asked over IPv6")
    {
        const tests::ScratchFolder folder;
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "127.0.0.1 ns.sonde.test\n::1 ns.sonde.test\n");
        resolve_with(files);
        const auto answer = [](std::string_view query) {
            return std::vector{dns_response(query, {0, {{}}})};
        };
        serve(answer);
        const tests::ScriptedDns v6{
            loop, answer, tests::asio::ip::address_v6::loopback(), server->port()};
        const auto report = ask("UDP", R"(, "server": "ns.sonde.test", "ipVersion": "Any")");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_ip_protocol") == 6);
        CHECK(value_of(report, "probe_ip_addr_hash") == 1751717746);
        CHECK(v6.received().size() == 1);
        CHECK(server->received().empty());
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D15: a literal server of the excluded family")
    {
        const auto report = ask_port(53, "UDP", R"(, "ipVersion": "V6")");
        CHECK(report.verdict.code == "resolve");
        CHECK(report.verdict.cause == "wrong_family");
        CHECK(value_of(report, "probe_ip_protocol") == 0);
        CHECK(value_of(report, "probe_ip_addr_hash") == 0);
        CHECK(value_of(report, "probe_dns_lookup_time_seconds") > 0);
        CHECK(value_of(report, "probe_dns_duration_seconds", {"resolve"}) == 0);
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D34: a pattern that does not compile, before the query")
    {
        say({0});
        const auto report = ask("UDP", R"(, "validateAnswerRRS": {"failIfMatchesRegexp": ["("]})");
        CHECK(report.verdict.code == "bad_regex");
        CHECK(report.verdict.message.find(
                  "settings.dns.validateAnswerRRS.failIfMatchesRegexp[0]") != std::string::npos);
        CHECK(value_of(report, "probe_dns_query_succeeded") == 0);
        CHECK(value_of(report, "probe_dns_answer_rrs") == 0);
        CHECK(value_of(report, "probe_dns_duration_seconds", {"request"}) == 0);
        CHECK_FALSE(tests::has(report, "probe_ip_protocol"));
        CHECK(server->received().empty());
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D1, D16, D20, D31, D33: knot, on a port of its own")
    {
        const tests::ScratchFolder folder;
        std::string records = zone;
        for (int i = 0; i < 4; ++i)
            records += '"' + std::string(220, 'x') + "\" ";
        const tests::Knot knot{folder, "example.org", records + '\n'};
        struct Row {
            std::string target;
            std::string_view type;
            std::string_view code;
            std::string_view cause;
            std::string_view rr;  ///< in the log, the last one of the answer; empty: not looked at
        };
        const Row rows[] = {{"www.example.org", "A", "", "", ""},
            {"gone.example.org", "A", "dns_rcode", "nxdomain", ""},
            {"www.example.com", "A", "dns_rcode", "refused", ""},
            {"www.example.org", "AAAA", "", "", "www.example.org.\t60\tIN\tAAAA\t2001:db8::1"},
            {"alias.example.org", "CNAME", "", "",
                "alias.example.org.\t300\tIN\tCNAME\twww.example.org."},
            {"example.org", "TXT", "", "",
                "example.org.\t300\tIN\tTXT\t\"v=spf1 -all\" \"second string\""},
            {"large.example.org", "TXT", "", "", ""},
            {"_sip._tcp.example.org", "SRV", "", "",
                "_sip._tcp.example.org.\t60\tIN\tSRV\t1 2 5060 www.example.org."},
            {"7.example.org", "PTR", "", "", "7.example.org.\t3600\tIN\tPTR\thost.example.net."}};
        for (const Row& row : rows) {
            CAPTURE(row.target);
            CAPTURE(row.type);
            target = row.target;
            const auto report =
                ask_port(knot.port(), "TCP", fmt::format(R"(, "recordType": "{}")", row.type));
            CHECK(report.verdict.code == row.code);
            CHECK(report.verdict.cause == row.cause);
            CHECK(value_of(report, "probe_dns_query_succeeded") == 1);
            bool shown = row.rr.empty();
            for (const auto& entry : report.log)
                for (const auto& field : entry.fields)
                    shown = shown || field.value == row.rr;
            CHECK(shown);
        }
        target = "large.example.org";  // more than 512 bytes: only the flag comes over UDP
        const auto cut = ask_port(knot.port(), "UDP", R"(, "recordType": "TXT")");
        CHECK(cut.verdict.message == "");
        CHECK(value_of(cut, "probe_dns_reply_truncated") == 1);
        CHECK(value_of(cut, "probe_dns_answer_rrs") == 0);
        target = "example.org";
        CHECK(value_of(ask_port(knot.port(), "UDP", R"(, "recordType": "SOA")"),
                  "probe_dns_serial") == 2024010101);
    }
}
