#include "tests/differential/comparison.h"
#include "tests/support/deflated.h"
#include "tests/support/real_servers.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::answer;
using tests::moved;
using tests::ok;
using tests::Pair;
using tests::Program;

namespace {

/// One setting under both its names.
struct Setting {
    std::string ours = {};
    std::string theirs = {};

    friend Setting operator+(const Setting& one, const Setting& other)
    {
        return {one.ours + ", " + other.ours, one.theirs + ", " + other.theirs};
    }
};

/// Values that are the same in JSON and in YAML's flow style.
Setting codes(std::string_view list)
{
    return {fmt::format(R"("validStatusCodes": {})", list),
        fmt::format("valid_status_codes: {}", list)};
}

Setting versions(std::string_view list)
{
    return {fmt::format(R"("validHTTPVersions": {})", list),
        fmt::format("valid_http_versions: {}", list)};
}

Setting body_has(std::string_view patterns)
{
    return {fmt::format(R"("failIfBodyMatchesRegexp": {})", patterns),
        fmt::format("fail_if_body_matches_regexp: {}", patterns)};
}

Setting body_lacks(std::string_view patterns)
{
    return {fmt::format(R"("failIfBodyNotMatchesRegexp": {})", patterns),
        fmt::format("fail_if_body_not_matches_regexp: {}", patterns)};
}

Setting header(std::string_view ours, std::string_view theirs, std::string_view name,
    std::string_view pattern, bool allow_missing)
{
    return {fmt::format(R"("{}": [{{"header": "{}", "regexp": {}, "allowMissing": {}}}])", ours,
                name, tests::quoted(pattern), allow_missing),
        fmt::format("{}: [{{header: {}, regexp: {}, allow_missing: {}}}]", theirs, name,
            tests::quoted(pattern), allow_missing)};
}

Setting header_has(std::string_view name, std::string_view pattern, bool allow_missing = false)
{
    return header(
        "failIfHeaderMatchesRegexp", "fail_if_header_matches", name, pattern, allow_missing);
}

Setting header_lacks(std::string_view name, std::string_view pattern, bool allow_missing = false)
{
    return header(
        "failIfHeaderNotMatchesRegexp", "fail_if_header_not_matches", name, pattern, allow_missing);
}

Setting compressed(std::string_view how)
{
    return {fmt::format(R"("compression": "{}")", how), fmt::format("compression: {}", how)};
}

Setting method(std::string_view name)
{
    return {fmt::format(R"("method": "{}")", name), fmt::format("method: {}", name)};
}

const Setting posting{R"("method": "POST", "body": "hello")", "method: POST, body: hello"};
const Setting staying{R"("noFollowRedirects": true)", "follow_redirects: false"};

/// What a server says and how the two are told to take it.
struct Row {
    std::string name;
    Setting setting;
    std::vector<std::string> answers;
};

std::vector<Row> verdicts()
{
    const std::string trouble = "Error: could not connect to database today";
    const auto two_codes = codes("[200, 404]");
    return {{"H1", {}, {answer(299)}}, {"H2", {}, {answer(300)}},
        {"H2-location", {}, {answer(300, "", "Location: /x\r\n")}},
        {"H3", {}, {answer(404, "not found")}}, {"H4", two_codes, {answer(404)}},
        {"H5", two_codes, {answer(201)}}, {"H6", codes("[404]"), {ok()}},
        {"H7", versions(R"(["HTTP/1.1"])"), {ok()}},
        {"H7-1.0", versions(R"(["HTTP/1.0"])"), {"HTTP/1.0 200 OK\r\n\r\nbody"}},
        {"H8", versions(R"(["HTTP/2.0"])"), {ok()}},
        {"H36", {R"("failIfNotSSL": true)", "fail_if_not_ssl: true"}, {ok()}},
        {"H44", body_has(R"(["could not connect to database"])"), {ok(trouble)}},
        {"H45", body_has(R"(["could not connect to database"])"), {ok("all is well")}},
        {"H46", body_has(R"(["out of order", "database"])"), {ok(trouble)}},
        {"H47", body_lacks(R"(["Download the latest version here"])"), {ok("Bad news")}},
        {"H48", body_lacks(R"(["version", "[a-z]+ here"])"), {ok("the latest version here")}},
        {"H49", body_lacks(R"(["^second"])"), {ok("first\nsecond\n")}},
        {"H49-lines", body_lacks(R"(["(?m)^second"])"), {ok("first\nsecond\n")}},
        {"H50", body_lacks(R"(["a.b"])"),
            {ok("a\xff"
                "b")}},
        {"pattern-and-404", body_has(R"(["database"])"), {answer(404, trouble)}}};
}

std::vector<Row> headers()
{
    const std::string binary = "Content-Type: application/octet-stream\r\n";
    const std::string domain = R"(.*Domain=\.example\.com.*)";
    const std::string cookie = "Set-Cookie: zz4=4; Domain=.example.com\r\n";
    const std::string other = "Set-Cookie: zz3=3; Domain=.example.org\r\n";
    return {{"H51", header_has("Content-Type", "text/javascript"), {ok("", binary)}},
        {"H52", header_has("X-Test", ".*"), {ok("", "X-Test:\r\n")}},
        {"H53", header_has("X-Test", ".*", true), {ok()}},
        {"H54", header_has("X-Test", ".*", true), {ok("", "X-Test:\r\n")}},
        {"H55", header_has("Set-Cookie", domain), {ok("", cookie)}},
        {"H56", header_lacks("Content-Type", "text/javascript"), {ok("", binary)}},
        {"H57", header_lacks("X-Test", ".*"), {ok()}},
        {"H58", header_lacks("X-Test", ".*", true), {ok()}},
        {"H59", header_lacks("Set-Cookie", domain), {ok("", other + cookie)}},
        {"H60", header_has("Set-Cookie", domain), {answer(404, "", cookie)}}};
}

std::vector<Row> bodies()
{
    const std::string plain = std::string(55, 'a') + std::string(55, 'b');
    const std::string gzip = tests::deflated(plain, 31);
    const std::string as_gzip = "Content-Encoding: gzip\r\n";
    const std::string modified = "Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT\r\n";
    return {{"H10", {}, {ok(gzip, as_gzip)}},
        {"H11", {}, {ok("plain", "Content-Encoding: identity\r\n")}},
        {"H12", compressed("gzip"), {ok(gzip, as_gzip)}},
        {"H14", compressed("deflate"), {ok(tests::deflated(plain, -15))}},
        {"H15", compressed("deflate"), {ok(tests::deflated(plain, 15))}},
        {"H16", compressed("deflate"), {ok(gzip)}}, {"H17", compressed("gzip"), {ok("plain text")}},
        {"H18", compressed("gzip"), {ok(gzip + "junk")}},
        {"H19", compressed("gzip"), {ok(gzip.substr(0, gzip.size() - 6))}},
        {"H20", compressed("gzip"), {answer(404, "no")}},
        {"H21", compressed("gzip") + method("HEAD"),
            {"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n"}},
        {"H65", {},
            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}},
        {"H66", {}, {"HTTP/1.1 204 No Content\r\n\r\n"}}, {"H76", {}, {ok("", modified)}}};
}

std::vector<Row> breaches()
{
    const std::string head = "HTTP/1.1 200 OK\r\n";
    return {{"H67", {}, {head + "Content-Length: 100\r\n\r\nshort"}},
        {"DEV-28", body_has(R"(["zzz"])"), {head + "Content-Length: 100\r\n\r\nshort"}},
        {"H70", {}, {""}}, {"H71", {}, {"garbage\r\n\r\n"}},
        {"H75", {}, {head + "Transfer-Encoding: gzip\r\n\r\nzip"}}, {"H85", {}, {head + "Conte"}},
        {"H86", {}, {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"}}};
}

std::vector<Row> redirects(const std::string& refusing)
{
    std::vector<std::string> ten(10, moved(302, "/again"));
    const auto eleven = ten;
    ten.push_back(ok());
    const auto with_body = answer(302, "7 bytes", "Location: /x\r\n");
    return {{"H23", {}, {moved(302, "/x"), ok("hello")}}, {"H24", {}, ten},
        {"H24-eleven", {}, {moved(302, "/again")}},
        {"H25", staying + codes("[302]") + body_has(R"(["zzz"])"), {with_body}},
        {"H25-fails", staying, {with_body}}, {"H26", {}, {answer(302, "7 bytes")}},
        {"H27", {}, {moved(302, "http://" + refusing + "/")}},
        {"H28", {}, {moved(302, "ftp://127.0.0.1/")}}, {"H29", {}, {moved(302, "http://[::1")}},
        {"304", {}, {moved(304, "/x")}}};
}

/// Pages of nginx that find out what a second request is like.
constexpr auto pages = R"(
location /303 {{ return 303 /only_get; }}
location /307 {{ return 307 /only_post; }}
location /only_get {{ if ($request_method != GET) {{ return 405; }}
                      return 200 $http_content_length; }}
location /only_post {{ if ($request_method != POST) {{ return 405; }}
                       if ($http_content_length != 5) {{ return 411; }} return 200; }}
location /vhost {{ return 302 /only_vhost; absolute_redirect off; }}
location /only_vhost {{ if ($http_host != vhost.example.com) {{ return 421; }} return 200; }}
location /cookie {{ add_header Set-Cookie s=1; return 302 /need; absolute_redirect off; }}
location /named {{ add_header Set-Cookie s=1; return 302 http://localhost:{0}/need; }}
location /need {{ if ($cookie_s != 1) {{ return 403 no; }} return 200; }}
location /secret {{ return 302 http://localhost:{0}/only_basic; }}
location /only_basic {{ if ($http_authorization = "") {{ return 401; }} return 200; }}
location /put {{ if ($request_method != DELETE) {{ return 405; }} return 200; }}
location / {{ return 200 "hello"; }}
)";

struct HttpComparison : tests::Comparison {
    std::vector<Pair> pairs;

    void add(const std::vector<Row>& rows)
    {
        for (const Row& row : rows) {
            const std::string ours = "http://" + serve(row.answers).address() + "/";
            const std::string theirs =
                row.answers.size() == 1 ? ours : "http://" + serve(row.answers).address() + "/";
            pairs.push_back({row.name, row.setting.ours, row.setting.theirs, ours, theirs});
        }
    }
    /// A page of a server that is there.
    void add(const std::string& name, const std::string& target, const Setting& setting = {})
    {
        pairs.push_back({name, setting.ours, setting.theirs, target});
    }
    void add_slow(const std::string& name, const std::vector<Script>& scripts,
        std::chrono::milliseconds timeout = 3s)
    {
        pairs.push_back({name, "", "", "http://" + serve(scripts).address() + "/", "", timeout});
    }
};

}  // namespace

TEST_SUITE("differential")
{
    TEST_CASE_FIXTURE(HttpComparison, "HTTP")
    {
        add(verdicts());
        add(headers());
        add(bodies());
        add(breaches());
        add(redirects(refusing_address()));

        const std::string head = "HTTP/1.1 200 OK\r\n";
        add_slow("H68",
            {{{tests::end_of_head, head + "Content-Length: 100\r\n\r\nshort", false, true}}},
            500ms);
        add_slow("H69", {{{tests::end_of_head, "", false, true}}}, 500ms);
        add_slow("H73", {{{tests::end_of_head, "HTTP/1.1 100 Continue\r\n\r\n"},
                            {"", "HTTP/1.1 103 Early Hints\r\n\r\n"}, {"", ok()}}});
        add("refused", "http://" + refusing_address() + "/");

        const tests::ScratchFolder folder;
        const auto port = tests::free_port();
        const tests::Nginx nginx{folder,
            fmt::format("server {{ listen 127.0.0.1:{}; {} }}", port, fmt::format(pages, port)),
            port};
        const std::string page = fmt::format("127.0.0.1:{}", port);
        const std::string named = fmt::format("http://localhost:{}", port);
        const Setting host{
            R"("headers": ["Host: vhost.example.com"])", "headers: {Host: vhost.example.com}"};
        const Setting basic{R"("basicAuth": {"username": "u", "password": "p"})",
            "basic_auth: {username: u, password: p}"};
        add("H30", page + "/303", posting);
        add("H31", page + "/307", posting);
        add("H32", page + "/vhost", host);
        add("H33", named + "/secret", basic);
        add("H34", named + "/named");
        add("H35", page + "/cookie");
        add("H62", page);
        add("H64", "invalid://" + page);
        add("bad-target", "http://127.0.0.1:x/");
        add("H78", page + "/put", method("DELETE"));
        add("H78-refused", page + "/put", method("PUT"));
        compare(Program::http, pairs);
    }
}
