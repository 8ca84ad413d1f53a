#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::HttpFixture;
using tests::moved;
using tests::ok;

namespace {

const std::string& head = tests::end_of_head;

/// What a server must have received: the `request`-th has `text`, or with "!" before it, not.
struct Seen {
    std::size_t request;
    std::string text;
};

/// A row of spec 02 §7.1 that speaks of requests: all of these runs pass.
struct RequestRow {
    std::string_view name;
    std::string_view members;
    std::vector<HttpFixture::Step> connections;  ///< each awaits so much and answers
    std::vector<Seen> seen;
    const char* path = "/";
};

void check_requests(HttpFixture& fixture, const std::vector<RequestRow>& rows)
{
    for (const RequestRow& row : rows) {
        CAPTURE(row.name);
        std::vector<HttpFixture::Script> scripts;
        for (const auto& step : row.connections)
            scripts.push_back({step});
        const auto& server = fixture.serve(std::move(scripts));
        const auto report = fixture.ask("http://" + server.address() + row.path, row.members);
        CHECK(report.verdict.message == "");
        CHECK(server.received().size() == row.connections.size());
        for (const auto& [number, text] : row.seen) {
            REQUIRE(number < server.received().size());
            const std::string& request = server.received()[number];
            CAPTURE(request);
            CAPTURE(text);
            const bool absent = text.starts_with('!');
            CHECK((request.find(text.substr(absent ? 1 : 0)) == std::string::npos) == absent);
        }
    }
}

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: what is sent")
    {
        constexpr auto three = R"("headers": ["Host: my-secret-vhost.com",
            "User-Agent: unsuspicious user", "Accept-Language: en-US"])";
        const HttpFixture::Step answers{head, ok()};
        check_requests(*this,
            {{"H61", three, {answers},
                 {{0, "\r\nHost: my-secret-vhost.com\r\n"}, {0, "!Host: 127"},
                     {0, "\r\nUser-Agent: unsuspicious user\r\n"}, {0, "!sonde"},
                     {0, "\r\nAccept-Language: en-US\r\n"}}},
                {"H77", R"("method": "CONNECT")", {answers}, {{0, "CONNECT /some/path HTTP/1.1"}},
                    "/some/path"},
                {"CONNECT without path", R"("method": "CONNECT")", {answers},
                    {{0, "CONNECT 127.0.0.1:"}}, ""},
                {"H78", R"("method": "DELETE")", {answers},
                    {{0, "DELETE / HTTP/1.1"}, {0, "!Content-Length"}}},
                {"H78", R"("method": "OPTIONS")", {answers},
                    {{0, "OPTIONS / HTTP/1.1"}, {0, "!Content-Length"}}},
                {"H78", R"("method": "PUT")", {answers},
                    {{0, "PUT / HTTP/1.1"}, {0, "\r\nContent-Length: 0\r\n"}}},
                {"H78", R"("method": "TRACE")", {answers},
                    {{0, "TRACE / HTTP/1.1"}, {0, "!Content-Length"}}},
                {"POST", R"("method": "POST")", {answers},
                    {{0, "POST / HTTP/1.1"}, {0, "\r\nContent-Length: 0\r\n"}, {0, "!Content-Type"},
                        {0, "!Expect"}}},
                {"PATCH", R"("method": "PATCH")", {answers},
                    {{0, "PATCH / HTTP/1.1"}, {0, "\r\nContent-Length: 0\r\n"}}},
                {"H81", R"("body": "hello")", {{"\r\n\r\nhello", ok()}},
                    {{0, "GET / HTTP/1.1"}, {0, "\r\nContent-Length: 5\r\n"},
                        {0, "!Content-Type"}}},
                {"HEAD with body", R"("method": "HEAD", "body": "hello")",
                    {{"\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}},
                    {{0, "HEAD / HTTP/1.1"}, {0, "\r\nContent-Length: 5\r\n"}}},
                {"H82", R"("headers": ["User-Agent:"])", {answers}, {{0, "!User-Agent"}}},
                {"an empty header is sent", R"("headers": ["X-A:"])", {answers}, {{0, "\r\nX-A:"}}},
                {"H83", R"("headers": ["X-A: 1", "x-a: 2"])", {answers},
                    {{0, "\r\nx-a: 2\r\n"}, {0, "!X-A"}}},
                {"H84", R"("headers": ["X-SM-ID: fake"])", {answers},
                    {{0, "\r\nx-sm-id: 42-7\r\n"}, {0, "!fake"}, {0, "!X-SM-ID"}}},
                {"H87", "", {answers}, {{0, "GET /a/../b HTTP/1.1"}}, "/a/../b"},
                {"illegal in a path, taken as it is in a query", "", {answers},
                    {{0, "GET /a%20b[c]?x=10%&y=%zz HTTP/1.1"}}, "/a b[c]?x=10%&y=%zz#fragment"},
                {"headers that are ours alone",
                    R"("headers": ["Content-Length: 9", "Transfer-Encoding: x", "Trailer: y"])",
                    {answers},
                    {{0, "!Content-Length"}, {0, "!Transfer-Encoding"}, {0, "!Trailer"}}},
                {"the user's Authorization wins", R"("headers": ["Authorization: mine"],
                    "basicAuth": {"username": "u"}, "bearerToken": "t")",
                    {answers}, {{0, "\r\nAuthorization: mine\r\n"}, {0, "!Basic"}, {0, "!Bearer"}}},
                {"then basicAuth", R"("basicAuth": {}, "bearerToken": "t")", {answers},
                    {{0, "\r\nAuthorization: Basic Og==\r\n"}, {0, "!Bearer"}}},
                {"then bearerToken", R"("bearerToken": "Bearer t")", {answers},
                    {{0, "\r\nAuthorization: Bearer Bearer t\r\n"}}},
                {"cache busting", R"("cacheBustingQueryParamName": "b")",
                    {{head, moved(302, "/next")}, answers},
                    {{0, "GET /?x=1&b="}, {0, "!b=old"}, {1, "GET /next HTTP/1.1"}},
                    "/?x=1&b=old"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: what is sent again after a redirect")
    {
        constexpr auto post = R"("method": "POST", "body": "hello")";
        constexpr auto typed =
            R"("method": "POST", "body": "hello", "headers": ["Content-Type: text/plain"])";
        const HttpFixture::Step answers{head, ok()};
        check_requests(*this,
            {{"H30", post, {{"hello", moved(303, "/x")}, answers},
                 {{0, "POST / HTTP/1.1"}, {1, "GET /x HTTP/1.1"}, {1, "!hello"},
                     {1, "!Content-Length"}}},
                {"H30, 302", post, {{"hello", moved(302, "/x?a=1")}, answers},
                    {{1, "GET /x?a=1 HTTP/1.1"}, {1, "!hello"}}},
                {"H30, HEAD stays", R"("method": "HEAD")", {{head, moved(301, "/x")}, answers},
                    {{1, "HEAD /x HTTP/1.1"}}},
                {"H31", post, {{"hello", moved(307, "/x")}, {"hello", ok()}},
                    {{1, "POST /x HTTP/1.1"}, {1, "\r\nContent-Length: 5\r\n"},
                        {1, "\r\n\r\nhello"}}},
                {"H32", R"("headers": ["Host: vhost.example.com"])",
                    {{head, moved(302, "/x")}, answers},
                    {{0, "\r\nHost: vhost.example.com\r\n"},
                        {1, "\r\nHost: vhost.example.com\r\n"}}},
                {"H32, absolute", R"("headers": ["Host: vhost.example.com"])",
                    {{head, moved(302, "http://127.0.0.1:{port}/x")}, answers},
                    {{1, "\r\nHost: 127.0.0.1:"}, {1, "!vhost"}}},
                {"H32, a reference that only looks absolute",
                    R"("headers": ["Host: vhost.example.com"])",
                    {{head, moved(302, "/x?u=http://y/")}, answers},
                    {{1, "\r\nHost: vhost.example.com\r\n"}}},
                {"H88", typed, {{"hello", moved(303, "/1")}, {head, moved(307, "/2")}, answers},
                    {{0, "\r\nContent-Type: text/plain\r\n"}, {1, "GET /1 HTTP/1.1"},
                        {1, "!Content-"}, {1, "!hello"}, {2, "GET /2 HTTP/1.1"}, {2, "!Content-"},
                        {2, "!hello"}}},
                {"H89", R"("headers": ["Referer: http://me/"])",
                    {{head, moved(302, "/x")}, answers},
                    {{0, "\r\nReferer: http://me/\r\n"}, {1, "\r\nReferer: http://me/\r\n"}}},
                {"a Referer of our own", "", {{head, moved(302, "/x")}, answers},
                    {{0, "!Referer"}, {1, "\r\nReferer: http://127.0.0.1:"}, {1, "/a?b\r\n"},
                        {1, "!#c"}},
                    "/a?b#c"},
                {"H90", R"("headers": ["Cookie: u=1; z=2"])",
                    {{head, moved(302, "/x", "Set-Cookie: u=9\r\n")}, answers},
                    {{0, "\r\nCookie: u=1; z=2\r\n"}, {1, "\r\nCookie: "}, {1, "z=2"}, {1, "u=9"},
                        {1, "!u=1"}}}});
    }
}
