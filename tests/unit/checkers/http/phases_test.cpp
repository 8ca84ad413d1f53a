#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using namespace std::chrono_literals;
using tests::answer;
using tests::check_series;
using tests::HttpFixture;
using tests::moved;
using tests::ok;
using tests::reasons_of;

namespace {

const std::string& head = tests::end_of_head;

/// Sent a while after what went before, so that the wait is seen in a phase.
HttpFixture::Step later(std::string text, std::string await = "")
{
    return {std::move(await), std::move(text), false, false, 200ms};
}

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H68 and H69: the deadline, phase by phase")
    {
        const struct {
            std::string_view name;
            HttpFixture::Step step;
            std::string_view cause;
            const char* series;
        } rows[] = {
            {"H68", {head, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", false, true},
                "transfer", "status=200 content=100 body=5 processing>0 transfer>=0.1 regex=0"},
            {"H69", {head, "", false, true}, "processing",
                "status=0 version=0 content=0 connect>0 tls=0 processing=0 transfer=0"},
            {"inside the head", {head, "HTTP/1.1 200 OK\r\nContent-", false, true}, "transfer",
                "status=0 version=0 connect>0 processing>0 transfer>=0.1"}};
        for (const auto& row : rows) {
            CAPTURE(row.name);
            const auto& server = serve({{row.step}});
            const auto report = ask("http://" + server.address(), "", 300ms);
            CHECK(reasons_of(report) == "timeout");
            CHECK(report.verdict.cause == row.cause);
            check_series(report, row.series);
            const auto lines = tests::lines_of(report);
            CHECK(std::count(lines.begin(), lines.end(), "debug Response timings for roundtrip") ==
                  1);
        }
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H73: any byte ends the processing")
    {
        const auto& server = serve({{{head, "HTTP/1.1 100 Continue\r\n\r\n"},
            later("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), later(ok())}});
        const auto report = ask("http://" + server.address());
        CHECK(report.verdict.message == "");
        check_series(report, "status=200 content=0 processing>0 transfer>=0.3");
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1, H74: processing of all hops, transfer of the last")
    {
        const auto& server = serve({{later(moved(302, "/x"), head)},
            {later("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head), later("hello")}});
        const auto report = ask("http://" + server.address());
        CHECK(report.verdict.message == "");
        check_series(report, "redirects=1 body=5 processing>=0.3 transfer>=0.1");
    }

    TEST_CASE_FIXTURE(HttpFixture, "the body of a followed redirect is in no phase")
    {
        const auto& server =
            serve({{{head, "HTTP/1.1 302 Found\r\nLocation: http://" + refusing_address() +
                               "/\r\nContent-Length: 2\r\n\r\n"},
                later("ab")}});
        const auto report = ask("http://" + server.address());
        CHECK(report.verdict.code == "connect");
        check_series(report, "redirects=1 connect>0 processing>0 transfer=0 body=0");
    }

    TEST_CASE_FIXTURE(HttpFixture, "§2.6: which phases exist when something fails")
    {
        constexpr auto none = "resolve=- connect=- tls=- processing=- transfer=- status=0 "
                              "version=0 content=0 body=0 redirects=0 ssl=0 regex=0 lookup=-";
        constexpr auto only_resolve = "resolve>0 connect=- tls=- processing=- transfer=-";
        const std::string elsewhere = "http://" + refusing_address();
        const struct {
            std::string_view failed_at;
            std::string target;
            std::string_view members;
            std::string_view reason;
            std::string_view cause;
            const char* series;
        } rows[] = {{"bad target", "http://127.0.0.1:x/", "", "bad_target", "", none},
            {"bad target, escape", "http://127.0.0.1/%zz", "", "bad_target", "", none},
            {"bad regex", elsewhere, R"("failIfBodyMatchesRegexp": ["("])", "bad_regex", "", none},
            {"bad regex of a header", elsewhere,
                R"("failIfHeaderMatchesRegexp": [{"header": "A", "regexp": "("}])", "bad_regex", "",
                none},
            {"resolution of hop 0", "http://[::1]/", "", "resolve", "wrong_family", only_resolve},
            {"TLS material", elsewhere, R"("tlsConfig": {"caCert": "bm9uZQ=="})", "tls_config",
                "ca", only_resolve},
            {"client pair", elsewhere, R"("tlsConfig": {"clientCert": "bm9uZQ=="})", "tls_config",
                "client_pair", only_resolve},
            {"TCP connect of hop 0", elsewhere, "", "connect", "refused",
                "resolve>0 connect=0 tls=0 processing=0 transfer=0 status=0"},
            {"no response byte", "http://" + serve({""}).address(), "", "http_request", "closed",
                "resolve>0 connect>0 tls=0 processing=0 transfer=0"},
            {"bytes that are no response", "http://" + serve({"garbage\r\n\r\n"}).address(), "",
                "http_request", "malformed", "resolve>0 connect>0 tls=0 processing>0 transfer=0"},
            {"hop 1 fails to connect", "http://" + serve({moved(302, elsewhere)}).address(), "",
                "connect", "refused", "resolve>0 connect>0 tls=0 processing>0 transfer=0"},
            {"body stops early",
                "http://" + serve({"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"}).address(), "",
                "http_body_read", "truncated", "resolve>0 connect>0 tls=0 processing>0 transfer>0"},
            {"verdict rules only", "http://" + serve({answer(500, "oh")}).address(), "",
                "http_status", "", "resolve>0 connect>0 tls=0 processing>0 transfer>0"}};
        for (const auto& row : rows) {
            CAPTURE(row.failed_at);
            const auto report = ask(row.target, row.members);
            CAPTURE(report.verdict.message);
            CHECK(reasons_of(report) == row.reason);
            CHECK(report.verdict.cause == row.cause);
            check_series(report, row.series);
        }
    }
}
