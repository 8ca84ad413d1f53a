#include "checkers/http/body.h"
#include "checkers/http/url.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::ScriptedServer;
using tests::value_of;

namespace {

const std::string end_of_head = "\r\n\r\n";

struct HttpFixture : tests::RunFixture {
    /// Runs against a server whose connections answer with these texts.
    checkers::Report get(const std::vector<std::string>& answers,
        std::string_view http_settings = "{}", std::string path = "/",
        std::chrono::milliseconds timeout = 3s)
    {
        std::vector<std::vector<ScriptedServer::Step>> scripts;
        for (const std::string& answer : answers)
            scripts.push_back({{end_of_head, answer}});
        server.emplace(loop, scripts);
        return run("http://" + server->address() + path,
            fmt::format(R"({{"http": {}}})", http_settings), timeout);
    }
    std::optional<ScriptedServer> server;
};

std::string ok(const std::string& body, const std::string& headers = "")
{
    return fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), headers, body);
}

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "a plain answer: series, phases, request")
    {
        const auto report = get({ok("hello", "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n")},
            "{}", "/a/../b?x=10%");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_http_status_code") == 200);
        CHECK(value_of(report, "probe_http_version") == 1.1);
        CHECK(value_of(report, "probe_http_content_length") == 5);
        CHECK(value_of(report, "probe_http_uncompressed_body_length") == 5);
        CHECK(value_of(report, "probe_http_ssl") == 0);
        CHECK(value_of(report, "probe_http_last_modified_timestamp_seconds") == 1767225600);
        CHECK(value_of(report, "probe_http_duration_seconds", {"tls"}) == 0);
        CHECK(value_of(report, "probe_http_duration_seconds", {"connect"}) > 0);
        const std::string& request = server->received()[0];
        CHECK(request.starts_with("GET /a/../b?x=10% HTTP/1.1\r\n"));
        CHECK(request.find("x-sm-id: 42-7\r\n") != std::string::npos);
        CHECK(request.find("Connection: close\r\n") != std::string::npos);
        CHECK(request.find("Accept") == std::string::npos);
        CHECK(request.find("User-Agent: sonde/") != std::string::npos);
    }

    TEST_CASE_FIXTURE(HttpFixture, "verdicts by status, headers, body and version")
    {
        const struct {
            const char* settings;
            std::string answer;
            const char* code;
            double regex;
        } rows[] = {
            {"{}", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "http_status", 0},
            {R"({"validStatusCodes": [404]})",
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", 0},
            {R"({"failIfBodyMatchesRegexp": ["l+o"]})", ok("hello"), "http_body_present", 1},
            {R"({"failIfBodyNotMatchesRegexp": ["^hello$"]})", ok("hello"), "", 0},
            {R"({"failIfBodyNotMatchesRegexp": ["bye"]})", ok("hello"), "http_body_absent", 1},
            {R"({"failIfHeaderMatchesRegexp": [{"header": "x-a", "regexp": "1"}]})",
                ok("", "X-A: 21\r\n"), "http_header_present", 1},
            {R"({"failIfHeaderNotMatchesRegexp": [{"header": "X-A", "regexp": "3"}]})",
                ok("", "X-A: 21\r\n"), "http_header_absent", 1},
            {R"({"failIfHeaderNotMatchesRegexp": [{"header": "X-B", "regexp": "3"}]})", ok(""),
                "http_header_missing", 1},
            {R"({"failIfHeaderNotMatchesRegexp": [{"header": "X-B", "regexp": "3", "allowMissing": true}]})",
                ok(""), "", 0},
            {R"({"validHTTPVersions": ["HTTP/2.0"]})", ok(""), "http_version", 0},
            {R"({"failIfNotSSL": true})", ok(""), "http_not_ssl", 0},
            {R"({"failIfSSL": true})", ok(""), "", 0},
            {R"({"compression": "gzip"})", ok("no gzip"), "http_decompress", 0},
        };
        for (const auto& row : rows) {
            CAPTURE(row.settings);
            const auto report = get({row.answer}, row.settings);
            CAPTURE(report.verdict.message);
            CHECK(report.verdict.code == row.code);
            CHECK(value_of(report, "probe_failed_due_to_regex") == row.regex);
        }
    }

    TEST_CASE_FIXTURE(
        HttpFixture, "servers that break the protocol give no response, or a body that breaks off")
    {
        const struct {
            std::string answer;
            const char* code;
            const char* cause;
            double status;
        } rows[] = {
            {"", "http_request", "closed", 0},
            {"HTTP/1.1 200 OK\r\nContent-Le", "http_request", "closed", 0},
            {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "http_request", "malformed", 0},
            {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "http_request",
                "malformed", 0},
            {"SSH-2.0-OpenSSH_9.2\r\n", "http_request", "malformed", 0},
            {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "http_body_read", "truncated",
                200},
        };
        for (const auto& row : rows) {
            CAPTURE(row.answer);
            const auto report = get({row.answer});
            CAPTURE(report.verdict.message);
            CHECK(report.verdict.code == row.code);
            CHECK(report.verdict.cause == row.cause);
            CHECK(value_of(report, "probe_http_status_code") == row.status);
            CHECK(tests::has(report, "probe_http_duration_seconds"));
        }
    }

    TEST_CASE_FIXTURE(
        HttpFixture, "redirects are followed by our rules, and counted also when they are not")
    {
        const auto moved = [](int status, const std::string& to) {
            return fmt::format(
                "HTTP/1.1 {} Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", status, to);
        };
        const auto report = get({moved(302, "/next?a=1"), ok("there")},
            R"({"method": "POST", "body": "data", "basicAuth": {"username": "u", "password": "p"}})");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_http_redirects") == 1);
        CHECK(server->received()[0].starts_with("POST / HTTP/1.1"));
        CHECK(server->received()[1].starts_with("GET /next?a=1 HTTP/1.1"));
        CHECK(server->received()[1].find("Authorization: Basic dTpw") != std::string::npos);
        CHECK(server->received()[1].find("data") == std::string::npos);

        const auto stopped =
            get({moved(301, "/x")}, R"({"noFollowRedirects": true, "validStatusCodes": [301]})");
        CHECK(stopped.verdict.message == "");
        CHECK(value_of(stopped, "probe_http_redirects") == 1);
        const auto endless = get({moved(302, "/")});
        CHECK(endless.verdict.code == "http_status");
        CHECK(value_of(endless, "probe_http_redirects") == 11);
        const auto away = get({moved(302, "ftp://elsewhere/")});
        CHECK(away.verdict.code == "http_request");
        CHECK(away.verdict.cause == "bad_redirect");
        CHECK(value_of(away, "probe_http_redirects") == 0);
    }

    TEST_CASE_FIXTURE(HttpFixture, "the deadline ends the run in its phase, with what was measured")
    {
        server.emplace(
            loop, std::vector<std::vector<ScriptedServer::Step>>{{{end_of_head, "", false, true}}});
        auto report = run("http://" + server->address() + "/", R"({"http": {}})", 100ms);
        CHECK(report.verdict.code == "timeout");
        CHECK(report.verdict.cause == "processing");
        CHECK(value_of(report, "probe_http_duration_seconds", {"connect"}) > 0);
        server.emplace(loop, std::vector<std::vector<ScriptedServer::Step>>{{{end_of_head,
                                 "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", false, true}}});
        report = run("http://" + server->address() + "/", R"({"http": {}})", 100ms);
        CHECK(report.verdict.cause == "transfer");
        CHECK(value_of(report, "probe_http_status_code") == 200);
        CHECK(value_of(report, "probe_http_uncompressed_body_length") == 2);
    }

    TEST_CASE_FIXTURE(HttpFixture, "settings that are not supported yet are refused by name")
    {
        for (const char* name :
            {"proxyURL", "oauth2Config", "secretManagerEnabled", "proxyConnectHeaders"}) {
            CAPTURE(name);
            const std::string value = name == std::string{"oauth2Config"}           ? "{}"
                                      : name == std::string{"secretManagerEnabled"} ? "true"
                                      : name == std::string{"proxyConnectHeaders"}
                                          ? "[\"A: b\"]"
                                          : "\"http://p.example.net\"";
            const auto report =
                run("http://127.0.0.1:1/", fmt::format(R"({{"http": {{"{}": {}}}}})", name, value));
            CHECK(report.verdict.code == "not_supported");
            CHECK(
                report.verdict.message == fmt::format("settings.http.{}: not supported yet", name));
        }
    }

    TEST_CASE("references are resolved as RFC 3986 says")
    {
        const auto base = checkers::http::parse_url("http://a.example/b/c/d?q");
        REQUIRE(base.has_value());
        for (const auto& [reference, expected] :
            {std::pair{"g", "http://a.example/b/c/g"}, {"./g/", "http://a.example/b/c/g/"},
                {"../g", "http://a.example/b/g"}, {"/g", "http://a.example/g"},
                {"?y", "http://a.example/b/c/d?y"}, {"//h.example/x", "http://h.example/x"},
                {"https://s.example", "https://s.example/"},
                {"../../../g", "http://a.example/g"}}) {
            CAPTURE(reference);
            const auto resolved = checkers::http::resolve(*base, reference);
            REQUIRE(resolved.has_value());
            CHECK(resolved->text() == expected);
        }
        CHECK(checkers::http::resolve(*base, "mailto:x@y").has_error());
        CHECK(checkers::http::resolve(*base, "/a%zz").has_error());
    }
}
