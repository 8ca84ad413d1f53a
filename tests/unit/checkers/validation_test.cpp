#include "agent/control/rules/check_rules.h"
#include "checkers/registry.h"
#include "config/json.h"

#include <doctest/doctest.h>

using namespace sonde;

namespace {

/// Spec 02 §7.5: a check, the member for which the API refuses it (empty: accepts it), and whether
/// an agent that gets it all the same refuses to run it. The agent also takes names of one label.
struct Row {
    const char* id;
    std::string target;
    std::string settings;
    std::string_view member = "";
    bool runs = true;
};

constexpr bool never_runs = false;

const std::string ping = R"({"ping": {}})";
const std::string tcp = R"({"tcp": {}})";
const std::string http = R"({"http": {}})";
const std::string dns = R"({"dns": {"server": "127.0.0.1", "recordType": "A"}})";
const std::string ptr = R"({"dns": {"server": "127.0.0.1", "recordType": "PTR"}})";

std::string of_http(std::string_view members)
{
    return fmt::format(R"({{"http": {{{}}}}})", members);
}

std::string of_dns(std::string_view members)
{
    return fmt::format(R"({{"dns": {{{}}}}})", members);
}

/// A name of 256 bytes, of labels of 63.
std::string long_name()
{
    std::string name;
    for (int i = 0; i < 4; ++i)
        name += std::string(63, 'a') + '.';
    return name.substr(0, 252) + ".org";
}

const Row hosts[] = {
    {"V1", "grafana.com", ping},
    {"V1", "1.2.3.4", ping},
    {"V1", "224.0.1.1", ping},
    {"V1", "0:0:0:0:0:0:0:1", ping},
    {"V2", "grafana-com", ping, "target"},
    {"V2", "::10000", ping, "target", never_runs},
    {"V3", std::string(64, 'a') + ".org", ping, "target", never_runs},
    {"V3", long_name(), ping, "target", never_runs},
    {"V3", ".x", ping, "target", never_runs},
    {"V3", "x.", ping, "target", never_runs},
    {"V3", "x.y.", ping, "target", never_runs},
    {"256.1.1.1 is no name", "256.1.1.1", ping, "target", never_runs},
    {"V4", "localhost", dns},
    {"V4", "localhost.", dns},
    {"V4", "org.", dns},
    {"V4", "grafana.com.", dns},
    {"V4, but spec 04 §6.2", "127.0.0.1", dns, "target"},
    {"V4", "127.0.0.1", ptr},
    {"V4", "_srv._tcp.example.org", dns},
    {"V4", "2001:db8::1", ptr},
    {"V4", "2001:db8::1", dns, "target"},
    {"V5", "foo..bar", dns, "target"},
    {"V5", std::string(64, 'a') + ".org", dns, "target"},
    {"V6", "grafana.com:65535", tcp},
    {"V7", ":25", tcp, "target", never_runs},
    {"V7", "x:25", tcp, "target"},
    {"V7", "grafana.com", tcp, "target", never_runs},
    {"V7", "grafana.com:0", tcp, "target", never_runs},
    {"V7", "grafana.com:65536", tcp, "target", never_runs},
    {"V8", "http://[::1]/", http},
    {"V8", "http://127.0.0.1:80/", http},
    {"V8", "https://example.org:8443/", http},
    {"V9", "ftp://example.org/", http, "target", never_runs},
    {"V9", "http://user@example.org/", http, "target", never_runs},
    {"V9", "http://test/", http, "target"},
    {"V9", "http://example.org:65536/", http, "target", never_runs},
    {"V9", "http://example.org:-1/", http, "target", never_runs},
};

const Row settings[] = {
    {"V10", "http://example.org/", of_http(R"("headers": ["origin:https://www.grafana.com"])")},
    {"V11", "http://example.org/", of_http(R"("headers": ["header"])"), "settings.http.headers[0]",
        never_runs},
    {"V11", "http://example.org/", of_http(R"("headers": ["a: b", ""])"),
        "settings.http.headers[1]", never_runs},
    {"V11", "http://example.org/", of_http(R"("headers": [": value"])"), "settings.http.headers[0]",
        never_runs},
    {"V11", "http://example.org/", of_http(R"("headers": ["hea;der: value"])"),
        "settings.http.headers[0]", never_runs},
    {"V12", "http://example.org/", of_http(R"("proxyConnectHeaders": ["a: b"])"),
        "settings.http.proxyConnectHeaders", never_runs},
    {"V12", "http://example.org/", of_http(R"("proxyURL": "socks5://proxy.example.org/")"),
        "settings.http.proxyURL", never_runs},
    {"V13", "http://example.org/", of_http(R"("failIfBodyMatchesRegexp": ["*good stuff*"])"),
        "settings.http.failIfBodyMatchesRegexp[0]", never_runs},
    {"V14", "example.org", R"({"ping": {"payloadSize": -1}})", "settings.ping.payloadSize",
        never_runs},
    {"V14", "example.org", R"({"ping": {"payloadSize": 65500}})", "settings.ping.payloadSize",
        never_runs},
    {"V14", "example.org", R"({"ping": {"payloadSize": 65499}})"},
    {"V14", "example.org", R"({"ping": {"packetCount": -1}})", "settings.ping.packetCount",
        never_runs},
    {"V14", "example.org", R"({"ping": {"packetCount": 11}})", "settings.ping.packetCount",
        never_runs},
    {"V14", "example.org", R"({"ping": {"packetCount": 10}})"},
    {"V14", "example.org", of_dns(R"("server": "127.0.0.1", "port": -1)"), "settings.dns.port",
        never_runs},
    {"V14", "example.org", of_dns(R"("server": "127.0.0.1", "port": 65536)"), "settings.dns.port",
        never_runs},
    {"V14", "example.org", of_dns(R"("server": "127.0.0.1", "port": 65535)")},
    {"V14", "example.org", of_dns(R"("server": "")"), "settings.dns.server", never_runs},
    {"V15", "example.org", R"({"ping": {}, "dns": {"server": "127.0.0.1"}})", "settings",
        never_runs},
    {"V15", "example.org", "{}", "settings", never_runs},
    {"a source that is no address", "example.org", R"({"ping": {"sourceIpAddress": "x"}})",
        "settings.ping.sourceIpAddress"},
    {"a pattern", "example.org",
        of_dns(R"("server": "127.0.0.1", "validateAuthorityRRS": {"failIfMatchesRegexp": ["("]})"),
        "settings.dns.validateAuthorityRRS.failIfMatchesRegexp[0]", never_runs},
};

pb::Check check_of(const std::string& target, const std::string& settings_text)
{
    pb::Check check;
    check.set_target(target);
    check.set_job("job");
    check.set_frequency(60'000);
    check.set_timeout(3'000);
    check.add_probes(1);
    const auto read = config::read_json(settings_text, *check.mutable_settings());
    REQUIRE_MESSAGE(read.has_value(), (read ? std::string{} : read.error().message));
    return check;
}

/// The member that the API names, the text before the first ": "; empty when it accepts the check.
std::string refused_member(const pb::Check& check)
{
    const config::ControlConfig config;
    const auto fits = control::rules::fit(check, "", {config});
    if (fits)
        return {};
    CHECK(fits.error().reason == "invalid");
    return fits.error().message.substr(0, fits.error().message.find(": "));
}

void hold_to(const Row& row)
{
    CAPTURE(row.id);
    CAPTURE(row.target);
    CAPTURE(row.settings);
    const pb::Check check = check_of(row.target, row.settings);
    CHECK(refused_member(check) == row.member);
    CHECK(checkers::validate(check).empty() == row.runs);
}

}  // namespace

TEST_SUITE("checkers/validation")
{
    TEST_CASE("V1 to V9: targets")
    {
        for (const Row& row : hosts)
            hold_to(row);
    }

    TEST_CASE("V10 to V15: settings")
    {
        for (const Row& row : settings)
            hold_to(row);
    }

    TEST_CASE("V16: times")
    {
        struct Times {
            std::int64_t frequency;
            std::int64_t timeout;
            std::string_view member;
        };
        constexpr Times rows[] = {{1000, 1001, "timeout"}, {1000, 1000, ""},
            {999, 999, "frequency"}, {60'000, 999, "timeout"}, {120'001, 3000, "frequency"},
            {60'000, 10'001, "timeout"}};
        for (const Times& row : rows) {
            pb::Check check = check_of("example.org", ping);
            check.set_frequency(row.frequency);
            check.set_timeout(row.timeout);
            CHECK(refused_member(check) == row.member);
        }
    }
}
