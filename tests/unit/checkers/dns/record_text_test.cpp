#include "agent/base/text.h"
#include "checkers/dns/query.h"
#include "tests/support/scripted_dns.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::dns_name;
using tests::dns_string;
using tests::dns_u16;
using tests::dns_u32;
using tests::DnsRecord;

namespace {

/// Bytes of a hexadecimal text.
std::string bytes(std::string_view hex)
{
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        out += static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16));
    return out;
}

/// The text of a record as it comes over the wire; "malformed" when it cannot be read.
std::string text_of(const DnsRecord& record)
{
    const std::string query = checkers::dns::build_query(7, dns_name("example.com"), record.type);
    const auto reading = checkers::dns::read_response(tests::dns_response(query, {0, {record}}), 7,
        dns_name("example.com"), static_cast<std::uint16_t>(record.type));
    return reading.fit == checkers::dns::Fit::response ? reading.message.answer.at(0).text
                                                       : "malformed";
}

struct Row {
    DnsRecord record;
    std::string_view text;  ///< the fields after the owner; TABs between them
};

/// One parameter of a SVCB or HTTPS record.
std::string parameter(unsigned key, const std::string& value)
{
    return dns_u16(key) + dns_u16(static_cast<unsigned>(value.size())) + value;
}

const std::string soa = dns_name("ns1.example.com") + dns_name("hostmaster.example.com") +
                        dns_u32(2024010101) + dns_u32(7200) + dns_u32(3600) + dns_u32(1209600) +
                        dns_u32(300);
const std::string srv = dns_u16(1) + dns_u16(2) + dns_u16(5060) + dns_name("sip.example.com");

/// Spec 02 §3.5: the ten types that can be asked for, and what servers add.
const Row rows[] = {
    {{"example.com", 1, 300, bytes("c0000207")}, "300\tIN\tA\t192.0.2.7"},
    {{"example.com", 28, 60, bytes("20010db8000000000000000000000001")},
        "60\tIN\tAAAA\t2001:db8::1"},
    {{"www.example.com", 5, 300, dns_name("Host.Example.net")},
        "300\tIN\tCNAME\tHost.Example.net."},
    {{"example.com", 15, 3600, dns_u16(10) + dns_name("mx1.example.com")},
        "3600\tIN\tMX\t10 mx1.example.com."},
    {{"example.com", 2, 86400, dns_name("ns1.example.com")}, "86400\tIN\tNS\tns1.example.com."},
    {{"7.2.0.192.in-addr.arpa", 12, 3600, dns_name("host.example.com")},
        "3600\tIN\tPTR\thost.example.com."},
    {{"example.com", 6, 3600, soa},
        "3600\tIN\tSOA\tns1.example.com. hostmaster.example.com. 2024010101 7200 3600 1209600 300"},
    {{"_sip._tcp.example.com", 33, 60, srv}, "60\tIN\tSRV\t1 2 5060 sip.example.com."},
    {{"example.com", 16, 300, dns_string("v=spf1 -all") + dns_string("second string")},
        "300\tIN\tTXT\t\"v=spf1 -all\" \"second string\""},
    {{"example.com", 257, 300, bytes("00") + dns_string("issue") + "ca.example"},
        "300\tIN\tCAA\t0 issue \"ca.example\""},
    {{"example.com", 13, 300, dns_string("x86") + dns_string("linux")},
        "300\tIN\tHINFO\t\"x86\" \"linux\""},
    {{"example.com", 65280, 300, bytes("0102ab")}, "300\tCLASS1\tTYPE65280\t\\# 3 0102ab"},
    {{"", 2, 518400, dns_name("a.root-servers.net")}, "518400\tIN\tNS\ta.root-servers.net."},
    // Digests: upper case but for TLSA.
    {{"example.com", 43, 1, dns_u16(60485) + bytes("0501abcd")}, "1\tIN\tDS\t60485 5 1 ABCD"},
    {{"example.com", 59, 1, dns_u16(60485) + bytes("0501abcd")}, "1\tIN\tCDS\t60485 5 1 ABCD"},
    {{"example.com", 44, 1, bytes("0101abcd")}, "1\tIN\tSSHFP\t1 1 ABCD"},
    {{"_443._tcp.example.com", 52, 1, bytes("030101abcd")}, "1\tIN\tTLSA\t3 1 1 abcd"},
    // Parameters of SVCB and HTTPS: values in quotes.
    {{"example.com", 65, 1, dns_u16(1) + dns_name("") + parameter(1, dns_string("h2"))},
        "1\tIN\tHTTPS\t1 . alpn=\"h2\""},
    {{"example.com", 64, 1,
         dns_u16(16) + dns_name("svc.example.com") + parameter(0, dns_u16(1) + dns_u16(65281)) +
             parameter(1, dns_string("h3") + dns_string("a,b\\c\"")) + parameter(2, "") +
             parameter(3, dns_u16(8443)) + parameter(4, bytes("c0000207c0000208")) +
             parameter(5, bytes("0102ab")) +
             parameter(6, bytes("20010db8000000000000000000000001")) + parameter(7, "/dns{?dns}") +
             parameter(65281, "x\1")},
        "1\tIN\tSVCB\t16 svc.example.com. mandatory=\"alpn,key65281\" "
        R"(alpn="h3,a\\,b\\\\c\"" no-default-alpn="" port="8443" ipv4hint="192.0.2.7,192.0.2.8" )"
        R"(ech="AQKr" ipv6hint="2001:db8::1" dohpath="/dns{?dns}" key65281="x\001")"},
    {{"example.com", 64, 1, dns_u16(0) + dns_name("other.example")},
        "1\tIN\tSVCB\t0 other.example."},
    {{"example.com", 64, 1, dns_u16(1) + dns_name("") + parameter(3, "\1")}, "malformed"},
    {{"example.com", 36, 1, dns_u16(10) + dns_name("kx.example")}, "1\tIN\tKX\t10 kx.example."},
    // Types that ldns writes.
    {{"example.com", 256, 1, dns_u16(10) + dns_u16(1) + "ftp://a.b/"},
        "1\tIN\tURI\t10 1 \"ftp://a.b/\""},
    {{"example.com", 48, 1, dns_u16(257) + bytes("030d") + "key!"},
        "1\tIN\tDNSKEY\t257 3 13 a2V5IQ=="},
    {{"example.com", 39, 1, dns_name("other.example")}, "1\tIN\tDNAME\tother.example."},
    {{"example.com", 35, 1,
         dns_u16(100) + dns_u16(10) + dns_string("u") + dns_string("E2U+sip") +
             dns_string("!^.*$!sip:a@b!") + dns_name("")},
        "1\tIN\tNAPTR\t100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:a@b!\" ."},
    // Data of no length are no data, whatever the type.
    {{"example.com", 1, 1, ""}, "1\tIN\tA\t"},
    {{"example.com", 6, 1, ""}, "1\tIN\tSOA\t"},
    {{"example.com", 65280, 1, ""}, "1\tCLASS1\tTYPE65280\t"},
    {{"example.com", 28, 1, bytes("20010db8")}, "malformed"},
    {{"example.com", 15, 1, dns_u16(10)}, "malformed"},
    {{"example.com", 16, 1, "\x05shor"}, "malformed"},
    {{"example.com", 2, 1, dns_name("ns") + "x"}, "malformed"},
};

}  // namespace

TEST_SUITE("checkers/dns")
{
    TEST_CASE("records as text: every type")
    {
        for (const Row& row : rows) {
            const std::string owner = row.record.owner + ".\t";
            CHECK(text_of(row.record) ==
                  (row.text == "malformed" ? "malformed" : owner + std::string{row.text}));
        }
    }

    TEST_CASE("records as text: classes")
    {
        constexpr std::pair<unsigned, std::string_view> classes[] = {{1, "IN"}, {2, "CS"},
            {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "CLASS255"}, {7, "CLASS7"}};
        for (const auto& [number, name] : classes)
            CHECK(text_of({"example.com", 1, 5, bytes("c0000207"), number}) ==
                  fmt::format("example.com.\t5\t{}\tA\t192.0.2.7", name));
    }

    TEST_CASE("records as text: IPv6 addresses by RFC 5952")
    {
        constexpr std::pair<std::string_view, std::string_view> addresses[] = {
            {"00000000000000000000000000000000", "::"}, {"00000000000000000000000000000001", "::1"},
            {"00000000000000000000000001020304", "::102:304"},
            {"00000000000000000000ffffc0000207", "::ffff:192.0.2.7"},
            {"20010db8000000010000000000000001", "2001:db8:0:1::1"},
            {"20010db8000000000001000000000001", "2001:db8::1:0:0:1"},
            {"20010db8000100010001000100000001", "2001:db8:1:1:1:1:0:1"},
            {"fe800000000000000000000000000000", "fe80::"}};
        for (const auto& [raw, text] : addresses)
            CHECK(
                text_of({"a.b", 28, 1, bytes(raw)}) == fmt::format("a.b.\t1\tIN\tAAAA\t{}", text));
    }

    TEST_CASE("records as text: escapes in labels and strings")
    {
        constexpr std::pair<std::string_view, std::string_view> labels[] = {
            {"plain_-*", "plain_-*"}, {" ", "\\ "}, {"'", "\\'"}, {"@", "\\@"}, {";", "\\;"},
            {"(", "\\("}, {")", "\\)"}, {"\"", "\\\""}, {"\\", "\\\\"}, {"\x1f", "\\031"},
            {"\x7f", "\\127"}, {"\xff", "\\255"}, {"$", "$"}};
        for (const auto& [raw, text] : labels)
            CHECK(text_of({std::string{raw}, 1, 1, ""}) == fmt::format("{}.\t1\tIN\tA\t", text));
        const std::string dot = dns_string("a.b") + dns_name("c");
        CHECK(text_of({"x", 2, 1, dot}) == "x.\t1\tIN\tNS\ta\\.b.c.");
        CHECK(text_of({"x", 16, 1, dns_string("\"\\ '@;()\x01\x7f\xc3\xa4")}) ==
              "x.\t1\tIN\tTXT\t\"\\\"\\\\ '@;()\\001\\127\\195\\164\"");
    }

    TEST_CASE("records as text: compressed names, wherever they point")
    {
        const std::string query = checkers::dns::build_query(7, dns_name("example.com"), 15);
        std::string response = tests::dns_response(query, {});
        response += "\x03www\xc0\x0c" + dns_u16(15) + dns_u16(1) + dns_u32(9) + dns_u16(6) +
                    dns_u16(5) + "\1m\xc0\x0c";
        response[7] = 1;
        const auto reading = checkers::dns::read_response(response, 7, dns_name("example.com"), 15);
        REQUIRE(reading.message.answer.size() == 1);
        CHECK(reading.message.answer[0].text == "www.example.com.\t9\tIN\tMX\t5 m.example.com.");
    }

    TEST_CASE("records as text: the OPT pseudo record")
    {
        constexpr std::uint32_t dnssec_ok = 0x8000;
        CHECK(text_of({"", 41, dnssec_ok, "", 1232}) ==
              "\n;; OPT PSEUDOSECTION:\n; EDNS: version 0; flags: do; udp: 1232");
        CHECK(text_of({"", 41, 0x00010000, "", 512}) ==
              "\n;; OPT PSEUDOSECTION:\n; EDNS: version 1; flags:; udp: 512");
        const std::string cookie = dns_u16(10) + dns_u16(2) + bytes("0a0b");
        CHECK(text_of({"", 41, 0, cookie, 512})
                .starts_with("\n;; OPT PSEUDOSECTION:\n; EDNS: version 0; flags:; udp: 512\n; "));
    }
}
