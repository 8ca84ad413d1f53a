#include "checkers/http/url.h"
#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::check_series;
using tests::HttpFixture;
using tests::ok;

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "a plain answer: series, phases, request")
    {
        const auto report = get(
            {ok("hello", "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n")}, "", "/a/../b?x=10%");
        CHECK(report.verdict.message == "");
        check_series(report, "status=200 version=1.1 content=5 body=5 redirects=0 ssl=0 regex=0 "
                             "modified=1767225600 lookup>0 protocol=4 earliest=- last_chain=- "
                             "chain_info=- tls_version=- cipher=-");
        check_series(report, "resolve>0 connect>0 tls=0 processing>0 transfer>0");
        const std::string& request = servers.back().received()[0];
        CHECK(request.starts_with("GET /a/../b?x=10% HTTP/1.1\r\n"));
        CHECK(request.find("x-sm-id: 42-7\r\n") != std::string::npos);
        CHECK(request.find("Connection: close\r\n") != std::string::npos);
        CHECK(request.find("Accept") == std::string::npos);
        CHECK(request.find("User-Agent: sonde/") != std::string::npos);
    }

    TEST_CASE_FIXTURE(HttpFixture, "settings that are not supported are refused by name")
    {
        const auto report = ask("http://127.0.0.1:1/", R"("oauth2Config": {})");
        CHECK(report.verdict.code == "not_supported");
        CHECK(report.verdict.message == "settings.http.oauth2Config: not supported");
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
        for (const auto& [reference, cause] :
            {std::pair{"mailto:x@y", "elsewhere"}, {"ftp://h.example/", "elsewhere"},
                {"http:///x", "elsewhere"}, {"http:x", "elsewhere"}, {"///x", "elsewhere"},
                {"/a%zz", ""}, {"http://[::1", ""}, {"http://h.example:x/", ""}}) {
            CAPTURE(reference);
            const auto resolved = checkers::http::resolve(*base, reference);
            REQUIRE(resolved.has_error());
            CHECK(resolved.error().cause == cause);
        }
    }

    TEST_CASE("only what has a scheme is absolute")
    {
        CHECK(checkers::http::has_scheme("http://h.example/"));
        CHECK(checkers::http::has_scheme("mailto:x@y"));
        CHECK_FALSE(checkers::http::has_scheme("/x?u=http://h.example/"));
        CHECK_FALSE(checkers::http::has_scheme("//h.example/x"));
    }
}
