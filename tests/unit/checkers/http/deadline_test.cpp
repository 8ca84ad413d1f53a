// The deadline after the head of the final response: what was known by then stays the verdict (spec
// 02 §2.10); and the search for patterns in large bodies (§9.4).
#include "tests/support/http_rows.h"
#include "tests/support/tls_server.h"

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>

#include <future>

using namespace sonde;
using namespace std::chrono_literals;
using tests::check_series;
using tests::HttpFixture;
using tests::reasons_of;

namespace {

std::string unfinished(int status, const std::string& headers = "")
{
    return fmt::format("HTTP/1.1 {} Said\r\nContent-Length: 100\r\n{}\r\nshort", status, headers);
}

struct SearchFixture : HttpFixture {
    boost::asio::thread_pool workers{1};

    SearchFixture() { net.heavy = workers.get_executor(); }
    ~SearchFixture() { workers.join(); }

    /// Keeps the worker busy until the promise is kept.
    void occupy(std::promise<void>& free)
    {
        boost::asio::post(workers, [until = free.get_future().share()] { until.wait(); });
    }
};

const std::string large = std::string(200'000, 'x') + " needle";

}  // namespace

TEST_SUITE("checkers/http/deadline")
{
    TEST_CASE_FIXTURE(HttpFixture, "a judged head is the primary cause, whatever the body does")
    {
        const struct {
            std::string_view name;
            std::string_view members;
            std::string answer;
            std::string_view reasons;
            const char* series;
        } rows[] = {{"status", "", unfinished(404), "http_status timeout",
                        "status=404 content=100 body=5 regex=0 transfer>=0.1"},
            {"header", R"("failIfHeaderMatchesRegexp": [{"header": "X-A", "regexp": "1"}])",
                unfinished(200, "X-A: 1\r\n"), "http_header_present timeout",
                "status=200 regex=1 body=5"},
            {"status, version and TLS",
                R"("validHTTPVersions": ["HTTP/2.0"], "failIfNotSSL": true)", unfinished(404),
                "http_status timeout http_version", "status=404"},
            {"only the version", R"("validHTTPVersions": ["HTTP/2.0"])", unfinished(200),
                "timeout http_version", "status=200 regex=0"},
            {"redirect that is not followed", R"("noFollowRedirects": true)",
                unfinished(302, "Location: /x\r\n"), "http_status timeout",
                "status=302 redirects=1 body=5"},
            {"a good head", R"("failIfBodyMatchesRegexp": ["short"])", unfinished(200), "timeout",
                "status=200 regex=0 body=5"}};
        for (const auto& row : rows) {
            CAPTURE(row.name);
            const auto& server =
                serve(std::vector<Script>{{{tests::end_of_head, row.answer, false, true}}});
            const auto report = ask("http://" + server.address(), row.members, 300ms);
            CHECK(reasons_of(report) == row.reasons);
            CHECK(report.verdict.code == row.reasons.substr(0, row.reasons.find(' ')));
            check_series(report, row.series);
        }
    }

    TEST_CASE_FIXTURE(HttpFixture, "lines of a run whose body met the deadline")
    {
        const auto& server =
            serve(std::vector<Script>{{{tests::end_of_head, unfinished(404), false, true}}});
        const auto report = ask("http://" + server.address(), "", 300ms);
        CHECK(tests::lines_of(report) ==
              std::vector<std::string>{"info Beginning check", "debug Resolving target address",
                  "debug Resolved target address", "debug Making HTTP request",
                  "debug Received HTTP response",
                  "error Invalid HTTP response status code, wanted 2xx",
                  "error Failed to read HTTP response body", "debug Response timings for roundtrip",
                  "error Check failed"});
    }

    TEST_CASE_FIXTURE(HttpFixture, "a redirect that cannot be used is no response, though it hangs")
    {
        const auto& server = serve(std::vector<Script>{
            {{tests::end_of_head, unfinished(302, "Location: http://[::1\r\n"), false, true}}});
        const auto report = ask("http://" + server.address(), "", 300ms);
        CHECK(reasons_of(report) == "http_request");
        CHECK(report.verdict.cause == "bad_redirect");
        check_series(report, "status=0 redirects=0 body=0");
    }

    TEST_CASE_FIXTURE(SearchFixture, "a large body is searched by a worker, with the same verdicts")
    {
        const struct {
            std::string_view members;
            std::string_view code;
        } rows[] = {{R"("failIfBodyMatchesRegexp": ["needle"])", "http_body_present"},
            {R"("failIfBodyMatchesRegexp": ["absent"])", ""},
            {R"("failIfBodyNotMatchesRegexp": ["needle$"])", ""},
            {R"("failIfBodyNotMatchesRegexp": ["x", "absent"])", "http_body_absent"}};
        for (const auto& row : rows) {
            CAPTURE(row.members);
            const auto report = get({tests::ok(large)}, row.members);
            CHECK(report.verdict.code == row.code);
            check_series(report, "status=200 body=200007");
        }
    }

    TEST_CASE_FIXTURE(SearchFixture, "only a large body needs a worker")
    {
        std::promise<void> free;
        occupy(free);
        constexpr auto pattern = R"("failIfBodyNotMatchesRegexp": ["x"])";
        CHECK(get({tests::ok(std::string(64 * 1024, 'x'))}, pattern).verdict.code == "");
        // Status 404: the patterns are not asked at all.
        CHECK(get({tests::answer(404, large)}, pattern).verdict.code == "http_status");
        free.set_value();
    }

    TEST_CASE_FIXTURE(SearchFixture, "the deadline ends the wait for a worker; it is our own fault")
    {
        std::promise<void> free;
        occupy(free);
        const auto& server = serve({tests::ok(large)});
        const auto report =
            ask("http://" + server.address(), R"("failIfBodyNotMatchesRegexp": ["absent"])", 300ms);
        CHECK(report.verdict.code == "timeout");
        CHECK(report.verdict.cause == "local_exhausted");
        CHECK(report.verdict.message.find("this probe searched 200007 bytes") != std::string::npos);
        check_series(report, "status=200 body=200007 regex=0 transfer>0");
        free.set_value();
    }
}
