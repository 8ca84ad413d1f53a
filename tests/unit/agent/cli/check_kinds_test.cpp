// `sonde check` of each kind against loopback servers: exit status and the object of `-o json`.
#include "agent/base/text.h"
#include "agent/net/http_server.h"
#include "tests/support/fake_dns.h"
#include "tests/support/scripted_server.h"
#include "tests/support/test_ca.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <list>
#include <regex>
#include <set>

using namespace sonde;
namespace asio = boost::asio;
using nlohmann::json;
using tests::Outcome;
using tests::ScriptedServer;
using Words = std::vector<std::string>;

namespace {

std::set<std::string> members(const json& object)
{
    std::set<std::string> names;
    for (const auto& [name, value] : object.items())
        names.insert(name);
    return names;
}

bool is_time(const json& value)
{
    static const std::regex rfc3339{R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"};
    return value.is_string() && std::regex_match(value.get<std::string>(), rfc3339);
}

void check_lists(const json& object)
{
    for (const json& phase : object["phases"]) {
        CHECK(members(phase) == std::set<std::string>{"name", "reached", "seconds"});
        CHECK(phase["name"].is_string());
        CHECK(phase["seconds"].is_number());
        REQUIRE(phase["reached"].is_boolean());
        if (!phase["reached"])
            CHECK(phase["seconds"] == 0);
    }
    for (const json& series : object["series"]) {
        CHECK(members(series) == std::set<std::string>{"labels", "name", "value"});
        CHECK(series["labels"].is_object());
        CHECK(series["value"].is_number());
    }
    for (const json& line : object["log"]) {
        CHECK(members(line) == std::set<std::string>{"fields", "level", "message", "time"});
        CHECK(is_time(line["time"]));
        CHECK(line["fields"].is_object());
    }
    CHECK(object["log"].front()["message"] == "Beginning check");
    CHECK(object["log"].back()["message"] ==
          (object["success"] ? "Check succeeded" : "Check failed"));
}

/// Holds an outcome to the contract: exactly these members, each of its type, and all agree.
json contract(const Outcome& outcome)
{
    CHECK(outcome.error == "");
    json object = outcome.json();
    CHECK(members(object) == std::set<std::string>{"address", "certificate", "duration_seconds",
                                 "kind", "log", "phases", "reason", "schema_version", "series",
                                 "started_at", "success", "target", "verdict"});
    CHECK(object["schema_version"] == 1);
    CHECK(is_time(object["started_at"]));
    CHECK(object["duration_seconds"] > 0);
    static const char* const verdicts[] = {"ok", "warning", "critical", "unknown"};
    REQUIRE(outcome.status >= 0);
    REQUIRE(outcome.status <= 3);
    CHECK(object["verdict"] == verdicts[outcome.status]);
    CHECK(object["success"] == (outcome.status == 0));
    CHECK(object["reason"].is_null() == (outcome.status == 0));
    if (object["reason"].is_object()) {
        CHECK(members(object["reason"]) ==
              std::set<std::string>{"cause", "code", "layer", "message"});
        CHECK_FALSE(object["reason"]["message"].get<std::string>().empty());
    }
    if (object["address"].is_object())
        CHECK(members(object["address"]) == std::set<std::string>{"family", "ip"});
    check_lists(object);
    return object;
}

/// The value of a series without labels of its own; null when it is absent.
json value_of(const json& object, std::string_view name)
{
    for (const json& series : object["series"])
        if (series["name"] == name && series["labels"].empty())
            return series["value"];
    return nullptr;
}

Words names_of(const json& phases, bool reached_only)
{
    Words names;
    for (const json& phase : phases)
        if (!reached_only || phase["reached"])
            names.push_back(phase["name"]);
    return names;
}

std::string answer(std::string_view status, std::string_view body)
{
    return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
        body.size(), body);
}

struct Kinds : tests::CliFixture {
    std::list<ScriptedServer> servers;  // all stay: their coroutines are on the loop
    tests::FakeDns names{loop};

    /// The target of a server that says this to every connection.
    std::string serve(ScriptedServer::Step step)
    {
        using Script = std::vector<ScriptedServer::Step>;
        return servers.emplace_back(loop, std::vector<Script>{{std::move(step)}}).address();
    }

    Outcome http(const std::string& reply, const Words& more = {})
    {
        Words words{"http", "http://" + serve({"\r\n\r\n", reply}) + "/"};
        words.insert(words.end(), more.begin(), more.end());
        return check(words);
    }

    Outcome dns(const std::string& name, const std::string& more = "")
    {
        names.set("www.sonde.test", tests::FakeDns::Type::a, {.addresses = {"192.0.2.7"}});
        return check({"dns", name, "--settings",
            fmt::format(
                R"({{"server": "127.0.0.1", "port": {}, "recordType": "A", "protocol": "UDP"{}}})",
                names.port(), more)});
    }
};

}  // namespace

TEST_SUITE("cli/check")
{
    TEST_CASE_FIXTURE(Kinds, "http: a page as expected is ok, 0")
    {
        const auto outcome = http(answer("200 OK", "hello"));
        CHECK(outcome.status == 0);
        const json object = contract(outcome);
        CHECK(object["kind"] == "http");
        CHECK(object["target"] == "http://" + servers.back().address() + "/");
        CHECK(object["address"] == json{{"ip", "127.0.0.1"}, {"family", 4}});
        CHECK(object["certificate"].is_null());
        CHECK(names_of(object["phases"], false) ==
              Words{"resolve", "connect", "tls", "processing", "transfer"});
        CHECK(names_of(object["phases"], true) ==
              Words{"resolve", "connect", "processing", "transfer"});
        CHECK(value_of(object, "probe_success") == 1);
        CHECK(value_of(object, "probe_http_status_code") == 200);
        CHECK(value_of(object, "probe_duration_seconds") == object["duration_seconds"]);
    }

    TEST_CASE_FIXTURE(Kinds, "http: another status is critical, 2, and the reason says which")
    {
        const auto outcome = http(answer("503 Service Unavailable", "no"));
        CHECK(outcome.status == 2);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "http_status");
        CHECK(object["reason"]["layer"] == "http");
        CHECK(object["reason"]["message"].get<std::string>().find("503") != std::string::npos);
        CHECK(value_of(object, "probe_success") == 0);
        CHECK(value_of(object, "probe_http_status_code") == 503);
    }

    TEST_CASE_FIXTURE(Kinds, "http: the settings decide what is expected")
    {
        CHECK(http(answer("503 Service Unavailable", "no"),
                  {"--settings", R"({"validStatusCodes": [503]})"})
                  .status == 0);
        const auto outcome = http(answer("200 OK", "hello"),
            {"--settings", R"({"failIfBodyNotMatchesRegexp": ["world"]})"});
        CHECK(outcome.status == 2);
        CHECK(contract(outcome)["reason"]["code"] == "http_body_absent");
    }

    TEST_CASE_FIXTURE(Kinds, "http: settings come from a file, too")
    {
        const std::string file = folder.write("settings.json", "{\"validStatusCodes\": [404]}\n");
        CHECK(http(answer("404 Not Found", ""), {"--settings", '@' + file}).status == 0);
        CHECK(http(answer("200 OK", ""), {"--settings", '@' + file}).status == 2);
    }

    TEST_CASE_FIXTURE(Kinds, "https: the certificate is shown with all that is known of it")
    {
        const tests::TestCa root;
        const auto files = tests::write(
            folder, "server", root.issue({.names = {"127.0.0.1"}, .common_name = "Here"}));
        net::HttpServer secure{loop.get_executor(),
            [](const net::HttpRequest&, const net::HttpPeer&) -> asio::awaitable<net::HttpReply> {
                co_return net::HttpReply{net::http::status::ok, 11};
            }};
        const auto port = secure.listen({"127.0.0.1", 0}, {files.certificate_file, files.key_file});
        REQUIRE(port.has_value());
        const std::string target = fmt::format("https://127.0.0.1:{}/", *port);

        const auto distrusted = check({"http", target});
        CHECK(distrusted.status == 2);
        CHECK(contract(distrusted)["reason"]["code"] == "tls");
        CHECK(contract(distrusted)["reason"]["layer"] == "tls");

        const auto outcome = check({"http", target, "--settings",
            fmt::format(
                R"({{"tlsConfig": {{"caCert": "{}"}}}})", text::base64(root.certificate()))});
        CHECK(outcome.status == 0);
        const json certificate = contract(outcome)["certificate"];
        CHECK(members(certificate) == std::set<std::string>{"cipher", "dns_names",
                                          "fingerprint_sha256", "issuer", "not_after", "not_before",
                                          "serial_number", "subject", "tls_version", "verified"});
        CHECK(certificate["subject"] == "CN=Here");
        CHECK(certificate["issuer"] == "CN=Sonde test root");
        CHECK(certificate["verified"] == true);
        CHECK(certificate["tls_version"] == "TLS 1.3");
        CHECK(is_time(certificate["not_before"]));
        CHECK(certificate["not_before"] < certificate["not_after"]);
        CHECK(certificate["fingerprint_sha256"].get<std::string>().size() == 64);
        secure.stop();
        loop.poll();  // its tasks unwind
    }

    TEST_CASE_FIXTURE(Kinds, "tcp: a dialogue as expected is ok, 0")
    {
        const std::string target = serve({.await = "", .send = "220 ready\r\n", .hold = true});
        const auto outcome = check({"tcp", target, "--settings",
            fmt::format(R"({{"queryResponse": [{{"expect": "{}"}}]}})", text::base64("^220 "))});
        CHECK(outcome.status == 0);
        const json object = contract(outcome);
        CHECK(object["kind"] == "tcp");
        CHECK(object["target"] == target);
        CHECK(object["address"] == json{{"ip", "127.0.0.1"}, {"family", 4}});
        CHECK(object["certificate"].is_null());
        CHECK(names_of(object["phases"], false) == Words{"resolve", "connect", "tls", "query"});
        CHECK(value_of(object, "probe_success") == 1);
    }

    TEST_CASE_FIXTURE(Kinds, "tcp: nobody listens: critical, 2; what came after is not reached")
    {
        const tests::ClosedPort closed{loop};
        const auto outcome = check({"tcp", closed.address()});
        CHECK(outcome.status == 2);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "connect");
        CHECK(object["reason"]["cause"] == "refused");
        CHECK(object["reason"]["layer"] == "network");
        CHECK(object["address"]["ip"] == "127.0.0.1");
        CHECK(names_of(object["phases"], true) == Words{"resolve"});
        CHECK(value_of(object, "probe_success") == 0);
    }

    TEST_CASE_FIXTURE(Kinds, "tcp: a server that stays silent fails at --timeout, critical, 2")
    {
        const auto outcome = check({"tcp", serve({.await = "", .send = "", .hold = true}),
            "--timeout", "100ms", "--settings",
            fmt::format(R"({{"queryResponse": [{{"expect": "{}"}}]}})", text::base64("."))});
        CHECK(outcome.status == 2);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "timeout");
        CHECK(object["reason"]["layer"] == "deadline");
        CHECK(object["log"].front()["fields"]["timeout_seconds"] == "0.1");
    }

    TEST_CASE_FIXTURE(Kinds, "dns: an answer is ok, 0")
    {
        const auto outcome = dns("www.sonde.test");
        CHECK(outcome.status == 0);
        const json object = contract(outcome);
        CHECK(object["kind"] == "dns");
        CHECK(object["target"] == "www.sonde.test");
        CHECK(object["address"]["ip"] == "127.0.0.1");
        CHECK(names_of(object["phases"], true) == Words{"resolve", "connect", "request"});
        CHECK(value_of(object, "probe_dns_answer_rrs") == 1);
        CHECK(names.asked() == Words{"A www.sonde.test"});
    }

    TEST_CASE_FIXTURE(Kinds, "dns: a name that does not exist is critical, 2")
    {
        const auto outcome = dns("nobody.sonde.test");
        CHECK(outcome.status == 2);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "dns_rcode");
        CHECK(object["reason"]["cause"] == "nxdomain");
        CHECK(object["reason"]["layer"] == "dns");
        CHECK(dns("nobody.sonde.test", R"(, "validRCodes": ["NXDOMAIN"])").status == 0);
    }

    TEST_CASE_FIXTURE(Kinds, "ping: replies are ok, 0")
    {
        const auto outcome = check({"ping", "127.0.0.1", "--settings", R"({"packetCount": 2})"});
        CHECK(outcome.status == 0);
        const json object = contract(outcome);
        CHECK(object["kind"] == "ping");
        CHECK(object["target"] == "127.0.0.1");
        CHECK(object["address"] == json{{"ip", "127.0.0.1"}, {"family", 4}});
        CHECK(names_of(object["phases"], true) == Words{"resolve", "setup", "rtt"});
        CHECK(value_of(object, "probe_icmp_packets_received_count") == 2);
    }

    TEST_CASE_FIXTURE(Kinds, "ping: no address to ask is critical, 2, and there is none to show")
    {
        const auto outcome = check({"ping", "127.0.0.1", "-6"});
        CHECK(outcome.status == 2);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "resolve");
        CHECK(object["reason"]["cause"] == "wrong_family");
        CHECK(object["address"].is_null());
        CHECK(names_of(object["phases"], false) == Words{"resolve", "setup", "rtt"});
    }

    TEST_CASE_FIXTURE(Kinds, "a fault of this host is unknown, 3, not the target's failure")
    {
        const std::string target = serve({.await = "", .send = "", .hold = true});
        const auto outcome =
            check({"tcp", target, "--settings", R"({"sourceIpAddress": "192.0.2.1"})"});
        CHECK(outcome.status == 3);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "connect");
        CHECK(object["reason"]["cause"].get<std::string>().starts_with("local_"));
        CHECK(check({"ping", "127.0.0.1", "--settings", R"({"sourceIpAddress": "192.0.2.1"})"})
                  .status == 3);
    }

    TEST_CASE_FIXTURE(Kinds, "settings that turn out useless in the run are unknown, 3")
    {
        const std::string target = serve({.await = "", .send = "", .hold = true});
        const auto outcome = check({"tcp", target, "--settings",
            fmt::format(R"({{"tls": true, "tlsConfig": {{"caCert": "{}"}}}})",
                text::base64("no certificate"))});
        CHECK(outcome.status == 3);
        const json object = contract(outcome);
        CHECK(object["reason"]["code"] == "tls_config");
        CHECK(object["reason"]["layer"] == "config");
    }
}
