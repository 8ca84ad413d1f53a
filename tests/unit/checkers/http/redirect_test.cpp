#include "tests/support/fake_dns.h"
#include "tests/support/http_rows.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::answer;
using tests::check_series;
using tests::HttpFixture;
using tests::moved;
using tests::ok;
using tests::reasons_of;

namespace {

/// Names are those that a test tells.
struct NamedFixture : HttpFixture {
    NamedFixture()
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "");
        files.resolv_conf =
            folder.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:5 attempts:1\n");
        files.port = dns.port();
        resolve_with(files);
    }

    tests::FakeDns dns{loop};
    tests::ScratchFolder folder;
};

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: redirects")
    {
        std::vector<std::string> ten(10, moved(302, "/again"));
        ten.push_back(ok());
        constexpr auto stay = R"("noFollowRedirects": true, "validStatusCodes": [302])";
        constexpr auto stay_and_look = R"("noFollowRedirects": true, "validStatusCodes": [302],
            "failIfBodyMatchesRegexp": ["zzz"])";
        constexpr auto stay_and_find = R"("noFollowRedirects": true, "validStatusCodes": [302],
            "failIfBodyNotMatchesRegexp": ["^7 bytes"])";
        const auto with_body = answer(302, "7 bytes", "Location: /x\r\n");
        check_rows(
            *this, {{"H23", "", {moved(302, "/x"), ok("hello")}, "", "",
                        "redirects=1 status=200 body=5 ssl=0"},
                       {"H24", "", ten, "", "", "redirects=10 status=200"},
                       {"the 11th is not followed", "", {moved(302, "/again")}, "http_status", "",
                           "redirects=11 status=302"},
                       {"H25", stay_and_look, {with_body}, "", "", "redirects=1 body=7 regex=0"},
                       {"H25, its body is judged", stay_and_find, {with_body}, "", "", "regex=0"},
                       {"H26", "", {answer(302, "7 bytes")}, "http_status", "",
                           "status=302 redirects=0 body=7"},
                       {"empty Location", "", {moved(302, "")}, "http_status", "",
                           "status=302 redirects=0"},
                       {"304 with Location", "", {moved(304, "/x")}, "http_status", "",
                           "status=304 redirects=0"},
                       {"H28", "", {moved(302, "ftp://elsewhere.example/")}, "http_request",
                           "bad_redirect", "status=0 version=0 redirects=1 content=0 transfer=0"},
                       {"no host", "", {moved(302, "http:///x")}, "http_request", "bad_redirect",
                           "status=0"},
                       {"H28, not followed", stay, {moved(302, "ftp://elsewhere.example/")}, "", "",
                           "status=302 redirects=1"},
                       {"H29", "", {moved(302, "http://[::1")}, "http_request", "bad_redirect",
                           "status=0 version=0 redirects=0 content=0 transfer=0"},
                       {"H29, not followed", stay, {moved(302, "http://[::1")}, "http_request",
                           "bad_redirect", "status=0 redirects=0"},
                       {"the family holds for each hop", "", {moved(302, "http://[::1]:{port}/")},
                           "resolve", "wrong_family", "status=0 redirects=1 transfer=0"}});
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H27: a redirect to where nobody listens")
    {
        const auto report = get({moved(302, "http://" + refusing_address() + "/")});
        CHECK(reasons_of(report) == "connect");
        CHECK(report.verdict.cause == "refused");
        check_series(report, "status=0 redirects=1 version=0 content=0 body=0 connect>0 tls=0 "
                             "processing>0 transfer=0");
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: what stays with the original host")
    {
        const auto both_of = [&](std::vector<std::string> answers, std::string_view members,
                                 const std::string& host = "localhost") {
            const auto& server = serve(answers);
            const auto report = ask(fmt::format("http://{}:{}/a", host, server.port()), members);
            CHECK(report.verdict.message == "");
            REQUIRE(server.received().size() == 2);
            return server.received()[1];
        };
        const auto has = [](const std::string& text, std::string_view part) {
            return text.find(part) != std::string::npos;
        };
        constexpr auto credentials = R"("basicAuth": {"username": "u", "password": "p"})";
        const std::string cookie = "Set-Cookie: s=1\r\n";

        // H33
        CHECK(has(both_of({moved(302, "http://localhost:{port}/b"), ok()}, credentials),
            "\r\nAuthorization: Basic dTpw\r\n"));
        CHECK_FALSE(has(both_of({moved(302, "http://127.0.0.1:{port}/b"), ok()}, credentials),
            "Authorization"));
        CHECK_FALSE(has(both_of({moved(302, "http://127.0.0.1:{port}/b"), ok()},
                            R"("bearerToken": "t", "headers": ["Cookie: a=1"])"),
            "a=1"));
        // H34
        CHECK(has(both_of({moved(302, "http://localhost:{port}/b", cookie), ok()}, ""),
            "\r\nCookie: s=1\r\n"));
        CHECK_FALSE(
            has(both_of({moved(302, "http://127.0.0.1:{port}/b", cookie), ok()}, ""), "Cookie"));
        // H35
        CHECK(
            has(both_of({moved(302, "/b", cookie), ok()}, "", "127.0.0.1"), "\r\nCookie: s=1\r\n"));
    }

    TEST_CASE_FIXTURE(HttpFixture, "cookies keep to their path (RFC 6265 §5.1.4)")
    {
        const struct {
            std::string first;
            std::string_view set;
            std::string second;
            bool sent;
        } rows[] = {{"/a", "s=1; Path=/b", "/b/c", true}, {"/a", "s=1; Path=/b", "/c", false},
            {"/a/login", "s=1", "/a/next", true}, {"/a/login", "s=1", "/b", false}};
        for (const auto& row : rows) {
            CAPTURE(row.set);
            CAPTURE(row.second);
            const auto report =
                get({moved(302, row.second, fmt::format("Set-Cookie: {}\r\n", row.set)), ok()}, "",
                    row.first);
            CHECK(report.verdict.message == "");
            const std::string& second = servers.back().received().at(1);
            CHECK(second.starts_with(fmt::format("GET {} HTTP/1.1\r\n", row.second)));
            CHECK((second.find("Cookie: s=1") != std::string::npos) == row.sent);
        }
    }

    TEST_CASE_FIXTURE(HttpFixture, "the deadline while a redirect is read: no response is counted")
    {
        const auto& server = serve({{{tests::end_of_head,
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 9\r\n\r\n", false, true}}});
        const auto report = ask("http://" + server.address(), "", 200ms);
        CHECK(report.verdict.code == "timeout");
        check_series(report, "status=0 version=0 connect>0 processing>0 transfer=0");
    }

    TEST_CASE_FIXTURE(NamedFixture, "each hop's lookup is in `resolve`, one for each host")
    {
        dns.set("www.sonde.test", tests::FakeDns::Type::a, {.addresses = {"127.0.0.1"}});
        const std::string there = moved(302, "http://www.sonde.test:{port}/");
        const auto report = get({there, there, ok()});
        CHECK(report.verdict.message == "");
        check_series(report, "redirects=2 resolve>0 protocol=4");
        CHECK(dns.asked() == std::vector<std::string>{"A www.sonde.test"});
    }

    TEST_CASE_FIXTURE(NamedFixture, "a later hop that cannot be looked up: no response")
    {
        dns.set("silent.sonde.test", tests::FakeDns::Type::a, {.silent = true});
        const struct {
            const char* host;
            std::string_view reason;
            std::string_view cause;
            const char* series;
        } rows[] = {{"absent.sonde.test", "resolve", "nxdomain", "resolve>0"},
            {"silent.sonde.test", "timeout", "resolve", "resolve>=0.1"}};
        for (const auto& row : rows) {
            CAPTURE(row.host);
            const auto& server = serve({moved(302, fmt::format("http://{}/", row.host))});
            const auto report = ask("http://" + server.address(), "", 300ms);
            CHECK(reasons_of(report) == row.reason);
            CHECK(report.verdict.cause == row.cause);
            check_series(
                report, "status=0 version=0 redirects=1 connect>0 processing>0 transfer=0");
            check_series(report, row.series);
        }
    }
}
