#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::answer;
using tests::check_series;
using tests::HttpFixture;
using tests::ok;
using tests::reasons_of;

namespace {

std::string chunked(const std::string& chunks, const std::string& headers = "")
{
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + headers + "\r\n" + chunks;
}

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: status and version")
    {
        check_rows(*this,
            {{"H1", "", {answer(299)}, "", "", "status=299 version=1.1 regex=0"},
                {"H2", "", {answer(300)}, "http_status", "", "status=300 redirects=0"},
                {"H2, with Location", "", {answer(300, "", "Location: /x\r\n")}, "http_status", "",
                    "status=300 redirects=0"},
                {"H3", "", {answer(404, "not found")}, "http_status", "",
                    "status=404 content=9 body=9 regex=0"},
                {"H4", R"("validStatusCodes": [200, 404])", {answer(404)}, "", "", "status=404"},
                {"H5", R"("validStatusCodes": [200, 404])", {answer(201)}, "http_status", "",
                    "status=201"},
                {"H6", R"("validStatusCodes": [404])", {ok()}, "http_status", "", "status=200"},
                {"H7", R"("validHTTPVersions": ["HTTP/1.1"])", {ok()}, "", "", "version=1.1"},
                {"H7, 1.0", R"("validHTTPVersions": ["HTTP/1.0"])", {"HTTP/1.0 200 OK\r\n\r\nbody"},
                    "", "", "version=1 content=-1 body=4"},
                {"H8", R"("validHTTPVersions": ["HTTP/2.0"])", {ok()}, "http_version", "",
                    "status=200 version=1.1"},
                {"version, after another failure", R"("validHTTPVersions": ["HTTP/2.0"])",
                    {answer(404)}, "http_status http_version", "", "status=404"},
                {"H36", R"("failIfNotSSL": true)", {ok()}, "http_not_ssl", "", "ssl=0 status=200"},
                {"H36, after another failure", R"("failIfNotSSL": true)", {answer(404)},
                    "http_status", "", "ssl=0"},
                {"failIfSSL, plain", R"("failIfSSL": true)", {ok()}, "", "", "ssl=0"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: patterns of the body")
    {
        constexpr auto one = R"("failIfBodyMatchesRegexp": ["could not connect to database"])";
        constexpr auto two = R"("failIfBodyMatchesRegexp": ["out of order", "database"])";
        constexpr auto latest =
            R"("failIfBodyNotMatchesRegexp": ["Download the latest version here"])";
        constexpr auto both = R"("failIfBodyNotMatchesRegexp": ["version", "[a-z]+ here"])";
        const std::string trouble = "Error: could not connect to database today";
        const std::string bad_news = "Bad news: no download";
        check_rows(
            *this, {{"H44", one, {ok(trouble)}, "http_body_present", "",
                        "regex=1 status=200 content=42 body=42"},
                       {"H45", one, {ok("all is well")}, "", "", "regex=0"},
                       {"H46", two, {ok(trouble)}, "http_body_present", "", "regex=1"},
                       {"H47", latest, {ok(bad_news)}, "http_body_absent", "", "regex=1"},
                       {"H48", both, {ok("the latest version here")}, "", "", "regex=0"},
                       {"H48, one of two", both, {ok("the latest version")}, "http_body_absent", "",
                           "regex=1"},
                       {"H49", R"("failIfBodyNotMatchesRegexp": ["^second"])",
                           {ok("first\nsecond\n")}, "http_body_absent", "", "regex=1"},
                       {"H49, (?m)", R"("failIfBodyNotMatchesRegexp": ["(?m)^second"])",
                           {ok("first\nsecond\n")}, "", "", "regex=0"},
                       {"H50", R"("failIfBodyNotMatchesRegexp": ["a.b"])",
                           {ok("a\xff"
                               "b")},
                           "", "", "regex=0"},
                       {"404: patterns are not asked", one, {answer(404, trouble)}, "http_status",
                           "", "regex=0 body=42"},
                       {"DEV-28", one, {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + trouble},
                           "http_body_read", "truncated", "regex=0 content=100 body=42"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: patterns of headers")
    {
        constexpr auto no_script = R"("failIfHeaderMatchesRegexp":
            [{"header": "Content-Type", "regexp": "text/javascript"}])";
        constexpr auto script = R"("failIfHeaderNotMatchesRegexp":
            [{"header": "content-type", "regexp": "text/javascript"}])";
        constexpr auto no_value = R"("failIfHeaderMatchesRegexp":
            [{"header": "X-Test", "regexp": ".*"}])";
        constexpr auto no_value_or_missing = R"("failIfHeaderMatchesRegexp":
            [{"header": "X-Test", "regexp": ".*", "allowMissing": true}])";
        constexpr auto value = R"("failIfHeaderNotMatchesRegexp":
            [{"header": "X-Test", "regexp": ".*"}])";
        constexpr auto value_or_missing = R"("failIfHeaderNotMatchesRegexp":
            [{"header": "X-Test", "regexp": ".*", "allowMissing": true}])";
        constexpr auto no_domain = R"("failIfHeaderMatchesRegexp":
            [{"header": "Set-Cookie", "regexp": ".*Domain=\\.example\\.com.*"}])";
        constexpr auto domain = R"("failIfHeaderNotMatchesRegexp":
            [{"header": "Set-Cookie", "regexp": ".*Domain=\\.example\\.com.*"}])";
        constexpr auto close = R"("failIfHeaderNotMatchesRegexp":
            [{"header": "Connection", "regexp": "close"}])";
        const std::string binary = "Content-Type: application/octet-stream\r\n";
        const std::string cookie = "Set-Cookie: zz4=4; Domain=.example.com\r\n";
        const std::string other = "Set-Cookie: zz3=3; Domain=.example.org\r\n";
        check_rows(*this,
            {{"H51", no_script, {ok("", binary)}, "", "", "regex=0"},
                {"H52", no_value, {ok("", "X-Test:\r\n")}, "http_header_present", "", "regex=1"},
                {"missing fails this kind too", no_value, {ok()}, "http_header_missing", "",
                    "regex=1"},
                {"H53", no_value_or_missing, {ok()}, "", "", "regex=0"},
                {"H54", no_value_or_missing, {ok("", "X-Test:\r\n")}, "http_header_present", "",
                    "regex=1"},
                {"H55", no_domain, {ok("", cookie)}, "http_header_present", "", "regex=1"},
                {"H56", script, {ok("", binary)}, "http_header_absent", "", "regex=1"},
                {"H57", value, {ok()}, "http_header_missing", "", "regex=1"},
                {"H58", value_or_missing, {ok()}, "", "", "regex=0"},
                {"H59", domain, {ok("", other + cookie)}, "", "", "regex=0"},
                {"lines are not joined", R"("failIfHeaderMatchesRegexp":
                    [{"header": "Set-Cookie", "regexp": "org.*com"}])",
                    {ok("", other + cookie)}, "", "", "regex=0"},
                {"a folded line", R"("failIfHeaderNotMatchesRegexp":
                    [{"header": "X-Test", "regexp": "^a b$"}])",
                    {ok("", "X-Test: a\r\n\t b\r\n")}, "", "", "regex=0"},
                {"H60", no_domain, {answer(404, "", cookie)}, "http_status", "",
                    "status=404 regex=0"},
                {"H97", close, {ok("", "Connection: close\r\n")}, "http_header_missing", "",
                    "regex=1"},
                {"Connection, without close", R"("failIfHeaderNotMatchesRegexp":
                    [{"header": "Connection", "regexp": "keep"}])",
                    {ok("", "Connection: keep-alive\r\n")}, "", "", "regex=0"},
                {"Transfer-Encoding and trailers are no headers", R"("failIfHeaderMatchesRegexp":
                    [{"header": "Transfer-Encoding", "regexp": "", "allowMissing": true},
                     {"header": "Trailer", "regexp": "", "allowMissing": true},
                     {"header": "X-Test", "regexp": "", "allowMissing": true}])",
                    {chunked("0\r\nX-Test: 1\r\n\r\n", "Trailer: X-Test\r\n")}, "", "",
                    "regex=0"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: lengths and Last-Modified")
    {
        const std::string modified = "Last-Modified: ";
        check_rows(*this,
            {{"H65", "", {chunked("5\r\nhello\r\n0\r\n\r\n")}, "", "", "content=-1 body=5"},
                {"H66", "", {"HTTP/1.1 204 No Content\r\n\r\n"}, "", "",
                    "status=204 content=0 body=0"},
                {"HEAD", R"("method": "HEAD")", {"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n"},
                    "", "", "content=34 body=0 modified=-"},
                {"H76", "", {ok("", modified + "Sunday, 06-Nov-94 08:49:37 GMT\r\n")}, "", "",
                    "modified=784111777"},
                {"IMF-fixdate", "", {ok("", modified + "Sun, 06 Nov 1994 08:49:37 GMT\r\n")}, "",
                    "", "modified=784111777"},
                {"asctime", "", {ok("", modified + "Sun Nov  6 08:49:37 1994\r\n")}, "", "",
                    "modified=784111777"},
                {"ISO 8601", "", {ok("", modified + "1994-11-06T08:49:37Z\r\n")}, "", "",
                    "modified=-"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: servers that break the protocol")
    {
        constexpr auto nothing = "status=0 version=0 content=0 body=0 redirects=0 regex=0";
        const std::string head = "HTTP/1.1 200 OK\r\n";
        check_rows(*this,
            {{"H67", "", {head + "Content-Length: 100\r\n\r\nshort"}, "http_body_read", "truncated",
                 "status=200 content=100 body=5 regex=0"},
                {"broken chunk", "", {chunked("5\r\nhello\r\nzz\r\n")}, "http_body_read",
                    "malformed", "status=200 body=5"},
                {"chunks that end early", "", {chunked("5\r\nhel")}, "http_body_read", "truncated",
                    "status=200 body=3"},
                {"H70", "", {""}, "http_request", "closed", nothing},
                {"H71", "", {"garbage\r\n\r\n"}, "http_request", "malformed", nothing},
                {"H75", "", {head + "Transfer-Encoding: gzip\r\n\r\nzip"}, "http_request",
                    "malformed", nothing},
                {"H85", "", {head + "Conte"}, "http_request", "closed", nothing},
                {"H86", "", {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"},
                    "http_request", "malformed", nothing},
                {"Content-Length that is no number", "", {head + "Content-Length: x\r\n\r\n"},
                    "http_request", "malformed", nothing},
                {"Content-Length that no number holds", "",
                    {head + "Content-Length: 99999999999999999999\r\n\r\n"}, "http_request",
                    "malformed", nothing},
                {"status of four digits", "", {"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
                    "http_request", "malformed", nothing},
                {"a header line without colon", "", {head + "Content-Length\r\n\r\n"},
                    "http_request", "malformed", nothing},
                {"another protocol", "", {"SSH-2.0-OpenSSH_9.2\r\n"}, "http_request", "malformed",
                    nothing},
                {"100 and nothing more", "", {"HTTP/1.1 100 Continue\r\n\r\n"}, "http_request",
                    "closed", nothing}});
        for (const auto& server : servers)
            CHECK(server.received().size() == 1);  // H70: no second attempt
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H72: 101 ends the exchange, nothing is awaited")
    {
        const auto& server = serve({{{"\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n"
            "Connection: Upgrade\r\nUpgrade: x\r\n\r\n",
            false, true}}});
        const auto report = ask("http://" + server.address());
        CHECK(reasons_of(report) == "http_status");
        check_series(report, "status=101 body=0");
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H62: a target without scheme is asked by HTTP")
    {
        CHECK(ask(serve({ok()}).address()).verdict.code == "");
        CHECK(servers.back().received().front().starts_with("GET / HTTP/1.1\r\n"));
    }
}
