#include "agent/base/text.h"
#include "tests/differential/comparison.h"
#include "tests/support/real_servers.h"
#include "tests/support/scripted_dns.h"

#include <doctest/doctest.h>

#include <array>
#include <list>

using namespace sonde;
using namespace std::chrono_literals;
using tests::dns_name;
using tests::dns_response;
using tests::DnsMessage;
using tests::DnsRecord;
using tests::Pair;
using tests::Program;

namespace {

using Messages = std::vector<std::string>;

DnsRecord a(std::uint32_t ttl, std::string owner = "www.example.org")
{
    return {std::move(owner), 1, ttl};
}

DnsRecord ns(std::string host)
{
    return {"isp.net", 2, 3600, dns_name(host)};
}

DnsMessage large()
{
    const DnsRecord text{"www.example.org", 16, 300, tests::dns_string(std::string(200, 'x'))};
    return {0, {text, text, text, text}};
}

std::string right(std::string_view query)
{
    return dns_response(query, {0, {{}}});
}

std::string with_other_id(std::string_view query)
{
    std::string message = right(query);
    message[1] = static_cast<char>(message[1] ^ 1);
    return message;
}

std::string of_another_question(std::string_view query)
{
    std::string other = right(query);
    other[13] = static_cast<char>(other[13] ^ 3);  // wwt for www
    return other;
}

/// Flags and counts of its own.
std::string with_header(std::string message, unsigned flags, std::array<unsigned, 4> counts)
{
    std::string header = message.substr(0, 2) + tests::dns_u16(flags);
    for (const unsigned count : counts)
        header += tests::dns_u16(count);
    return header + message.substr(12);
}

/// One setting under both its names.
struct Setting {
    std::string ours = {};
    std::string theirs = {};
};

Setting rcodes(std::string_view names)
{
    return {
        fmt::format(R"(, "validRCodes": [{}])", names), fmt::format(", valid_rcodes: [{}]", names)};
}

/// @param name "Answer", …; patterns in quotes, which are the same in JSON and in YAML.
Setting section(std::string_view name, std::string_view matches, std::string_view lacks)
{
    return {
        fmt::format(
            R"(, "validate{}RRS": {{"failIfMatchesRegexp": [{}], "failIfNotMatchesRegexp": [{}]}})",
            name, matches, lacks),
        fmt::format(
            ", validate_{}_rrs: {{fail_if_matches_regexp: [{}], fail_if_not_matches_regexp: [{}]}}",
            sonde::text::lower(name), matches, lacks)};
}

struct Row {
    std::string name;
    Setting setting;
    DnsMessage says;
};

const DnsMessage two_a{0, {a(3600), a(3600)}};
const DnsMessage full{0, {a(3600)}, {ns("ns1.isp.net"), ns("ns2.isp.net")},
    {a(3600, "ns1.isp.net"), a(3600, "ns1.isp.net"), a(3600, "ns2.isp.net")}};

std::vector<Row> rows()
{
    const Setting two_codes = rcodes(R"("SERVFAIL", "NXDOMAIN")");
    const DnsRecord alias{"www.example.org", 5, 300, dns_name("host.example.org")};
    return {{"D1", {}, two_a}, {"D2", two_codes, two_a},
        {"D3", section("Answer", R"(".*7200.*")", R"(".*3600.*")"), two_a},
        {"D4", section("Additional", "", R"(".*3600.*")"), two_a}, {"D5", {}, full},
        {"D6", two_codes, full},
        {"D7", section("Answer", R"(".*3600.*")", R"(".*3600.*")"), {0, {a(3600)}}},
        {"D8", section("Answer", R"(".*7200.*")", R"(".*7200.*")"), {0, {a(3600)}}},
        {"D9", section("Authority", "", R"("ns.*.isp.net")"), full},
        {"D10", section("Additional", "", R"("^ns.*.isp")"), full}, {"D11", {}, {2}},
        {"D12", rcodes(R"("NOT_A_VALID_RCODE")"), {2}},
        {"D13", rcodes(R"("NOERROR", "BOGUS")"), two_a}, {"D16", {}, {3}},
        {"D17", rcodes(R"("nxdomain")"), {3}}, {"D17-BADVERS", rcodes(R"("BADVERS")"), {3}},
        {"D30", {}, {0, {}, {}, {{"", 41, 0x01000000, "", 1232}}}},
        {"D31", section("Answer", "", R"("192\\.0\\.2\\.")"),
            {0, {alias, a(300, "host.example.org")}}},
        {"D36", section("Answer", "", R"("CLASS255")"),
            {0, {{"www.example.org", 1, 300, std::string(4, '\1'), 255}}}},
        {"D37", section("Answer", "", R"("A\\t$")"), {0, {{"www.example.org", 1, 300, ""}}}},
        {"empty-and-forbidden", section("Answer", R"(".")", ""), {0}}};
}

/// Checks of "www.example.org", type A.
struct DnsComparison : tests::Comparison {
    std::list<tests::ScriptedDns> named_servers;
    std::vector<Pair> pairs;

    void add(const std::string& name, std::uint16_t port, std::string_view protocol,
        const Setting& setting = {}, std::string_view type = "A",
        const std::string& question = "www.example.org", std::chrono::milliseconds timeout = 3s)
    {
        pairs.push_back({fmt::format("{}-{}", name, protocol),
            fmt::format(
                R"("server": "127.0.0.1", "port": {}, "recordType": "{}", "protocol": "{}"{})",
                port, type, protocol, setting.ours),
            fmt::format("query_name: {}, query_type: {}, transport_protocol: {}{}", question, type,
                sonde::text::lower(protocol), setting.theirs),
            question, fmt::format("127.0.0.1:{}", port), timeout});
    }
    void add(const std::string& name, std::string_view protocol, tests::ScriptedDns::Answer answer,
        std::chrono::milliseconds timeout = 3s)
    {
        const auto& server = named_servers.emplace_back(loop, std::move(answer));
        add(name, server.port(), protocol, {}, "A", "www.example.org", timeout);
    }
};

const std::string zone = R"($ORIGIN example.org.
$TTL 3600
@ SOA ns hostmaster 2024010203 7200 3600 1209600 3600
@ NS ns
ns A 192.0.2.53
www A 192.0.2.7
www AAAA 2001:db8::7
txt TXT "v=one" "two"
)";

}  // namespace

TEST_SUITE("differential")
{
    TEST_CASE_FIXTURE(DnsComparison, "DNS")
    {
        for (const Row& row : rows()) {
            const auto& server = named_servers.emplace_back(loop,
                [says = row.says](auto query) { return Messages{dns_response(query, says)}; });
            add(row.name, server.port(), "UDP", row.setting);
            add(row.name, server.port(), "TCP", row.setting);
        }
        const auto say = [](std::string (*message)(std::string_view)) {
            return [message](std::string_view query) { return Messages{message(query)}; };
        };
        const auto refused = [](std::string_view query) {
            return with_header(right(query).substr(0, 12), 0x8185, {1, 0, 0, 0});
        };
        const auto question = [](std::string_view query) {
            return with_header(right(query), 0x0100, {1, 1, 0, 0});
        };
        const auto four_bytes = [](std::string_view query) { return right(query).substr(0, 4); };
        const auto cut = [](std::string_view query) {
            return dns_response(query, {0, {}, {}, {}, 0x8380});
        };
        const auto too_large = [](std::string_view query) { return dns_response(query, large()); };
        add("D18", "UDP", say(cut));
        add("D19", "UDP", say(too_large));
        add("D20", "TCP", say(too_large));
        add("D21", "UDP", say(question), 500ms);
        add("D22", "UDP", say(of_another_question), 500ms);
        add("D23", "UDP", say(with_other_id), 500ms);
        add("D24", "UDP",
            [](std::string_view query) { return Messages{with_other_id(query), right(query)}; });
        add("D25", "TCP", say(with_other_id));
        add("D26", "UDP", say(refused));
        add("D26", "TCP", say(refused));
        add("D27", "TCP", say(four_bytes));
        // Bound, but not listening: nobody else can get the port.
        const tests::asio::ip::tcp::socket unheard{
            loop, {tests::asio::ip::address_v4::loopback(), 0}};
        add("D28", unheard.local_endpoint().port(), "UDP");
        add("D29", unheard.local_endpoint().port(), "TCP");

        const tests::ScratchFolder folder;
        const tests::Knot knot{folder, "example.org", zone};
        for (const std::string_view protocol : {"UDP", "TCP"}) {
            add("knot-A", knot.port(), protocol);
            add("knot-AAAA", knot.port(), protocol,
                section("Answer", "", R"("AAAA\\t2001:db8::7$")"), "AAAA");
            add("knot-SOA", knot.port(), protocol, {}, "SOA", "example.org");
            add("knot-TXT", knot.port(), protocol,
                section("Answer", "", R"("TXT\\t\"v=one\" \"two\"$")"), "TXT", "txt.example.org");
            add("knot-NXDOMAIN", knot.port(), protocol, {}, "A", "absent.example.org");
            add("knot-REFUSED", knot.port(), protocol, {}, "A", "example.net");
            add("knot-serial-of-another-type", knot.port(), protocol, {}, "SOA", "www.example.org");
        }
        compare(Program::dns, pairs);
    }
}
