// What the process says of itself: the answers of the status server over HTTP.
#include "tests/unit/agent/status/status_fixture.h"

#include <prometheus/counter.h>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;

TEST_SUITE("status")
{
    TEST_CASE_FIXTURE(StatusFixture, "/ready follows what it asks, both ways, and says why not")
    {
        const auto before = get("/ready");
        CHECK(before.result_int() == 503);
        CHECK(before.body() == "not ready: no session with the API\n");
        not_ready.clear();
        const auto ready = get("/ready");
        CHECK(ready.result_int() == 200);
        CHECK(ready.body() == "ready\n");
        not_ready = "the database does not answer";
        const auto after = get("/ready");
        CHECK(after.result_int() == 503);
        CHECK(after.body() == "not ready: the database does not answer\n");
    }

    TEST_CASE_FIXTURE(StatusFixture, "/live is 200 also while nothing is ready")
    {
        const auto reply = get("/live");
        CHECK(reply.result_int() == 200);
        CHECK(reply.body() == "live\n");
    }

    TEST_CASE_FIXTURE(StatusFixture, "/metrics is the registry and the process in Prometheus' text")
    {
        auto& family = prometheus::BuildCounter()
                           .Name("sm_agent_updater_changes_total")
                           .Help("Changes")
                           .Register(registry);
        auto& counter = family.Add({{"type", "add"}});
        counter.Increment(3);
        const auto reply = get("/metrics");
        CHECK(reply.result_int() == 200);
        CHECK(reply[http::field::content_type] == "text/plain; version=0.0.4; charset=utf-8");
        const std::string& text = reply.body();
        CHECK(text.find("# TYPE sm_agent_updater_changes_total counter\n") != std::string::npos);
        CHECK(text.find("sm_agent_updater_changes_total{type=\"add\"} 3\n") != std::string::npos);
        CHECK(text.find("# TYPE process_start_time_seconds gauge\n") != std::string::npos);
        counter.Increment();
        CHECK(get("/metrics").body().find("{type=\"add\"} 4\n") != std::string::npos);
    }

    TEST_CASE_FIXTURE(StatusFixture, "a path is found whatever the query; another path is 404")
    {
        CHECK(get("/live?x=1").result_int() == 200);
        CHECK(get("/ready?").result_int() == 503);
        CHECK(get("/").result_int() == 200);
        for (const char* target : {"/nowhere", "/live/", "/metrics2", "/Live", "/?/../x", "//"}) {
            CAPTURE(target);
            const auto reply = get(target);
            const bool is_root = std::string_view{target}.starts_with("/?");
            CHECK(reply.result_int() == (is_root ? 200 : 404));
            if (!is_root)
                CHECK(reply.body() == "Not Found\n");
        }
    }

    TEST_CASE("each path has its methods; what is off says which option is missing")
    {
        struct Row {
            const char* path;
            const char* allow;
            const char* option;  // null: needs none
        };
        constexpr Row table[] = {
            {"/", "GET, HEAD", nullptr},
            {"/metrics", "GET, HEAD", nullptr},
            {"/live", "GET, HEAD", nullptr},
            {"/ready", "GET, HEAD", nullptr},
            {"/results", "GET, HEAD", "status.results"},
            {"/disconnect", "GET, POST", "status.allow_disconnect"},
            {"/logger", "POST", "status.allow_log_level"},
            {"/-/reload", "POST", "status.allow_reload"},
        };
        AllOn on;
        StatusFixture off;
        on.not_ready.clear();
        off.not_ready.clear();
        for (const auto& [path, allow, option] : table)
            for (const verb method :
                {verb::get, verb::head, verb::post, verb::put, verb::delete_, verb::options}) {
                CAPTURE(path);
                CAPTURE(http::to_string(method));
                const std::string name{http::to_string(method)};
                const bool allowed =
                    (std::string{allow} + ",").find(name + ",") != std::string::npos;
                const auto reply = on.ask({method, path, {}, method == verb::post ? "info" : ""});
                CHECK(reply.result_int() == (allowed ? 200 : 405));
                CHECK(reply[http::field::allow] == (allowed ? "" : allow));
                if (option == nullptr)
                    continue;
                const auto refused = off.ask({method, path});
                CHECK(refused.result_int() == 403);
                if (method != verb::head)
                    CHECK(refused.body() == fmt::format("off: {} is not set\n", option));
            }
        CHECK(off.disconnects + off.reloads == 0);
        CHECK(on.disconnects == 2);
        CHECK(on.reloads == 1);
    }

    TEST_CASE_FIXTURE(AllOn, "the index names what there is to ask")
    {
        CHECK(get("/").body() == "sonde: /metrics, /live, /ready, /results, /disconnect, /logger, "
                                 "/-/reload\n");
        StatusFixture little;
        CHECK(little.get("/").body() == "sonde: /metrics, /live, /ready\n");
    }

    TEST_CASE_FIXTURE(AllOn, "/results is for Prometheus to scrape")
    {
        const auto reply = get("/results");
        CHECK(reply[http::field::content_type] == "text/plain; version=0.0.4; charset=utf-8");
        CHECK(reply.body() ==
              "# TYPE probe_success untyped\nprobe_success{job=\"shop\",tenant=\"api/0\"} 1\n");
    }

    TEST_CASE_FIXTURE(AllOn, "a request is one line, as grave as its answer")
    {
        struct Row {
            Ask ask;
            const char* level;
            const char* parts[3];
        };
        const Row table[] = {
            {{verb::get, "/live?a=\"b\""}, "info",
                {R"("method":"GET","url":"/live?a=\"b\"","code":200,"duration":)",
                    R"(,"bytes_written":5,"time":)", R"("subsystem":"http")"}},
            {{verb::head, "/live"}, "info", {R"("method":"HEAD")", R"("bytes_written":0,)", ""}},
            {{verb::get, "/nowhere"}, "warn", {R"("code":404,)", R"("bytes_written":10,)", ""}},
            {{verb::post, "/live"}, "warn", {R"("method":"POST")", R"("code":405,)", ""}},
            {{verb::get, "/ready"}, "error", {R"("url":"/ready","code":503,)", "", ""}},
            {{verb::get, "/" + std::string(500, 'x')}, "warn", {"xxx...\",\"code\":404", "", ""}},
        };
        log::configure(log::Level::info, log::Format::json);
        for (const auto& [what, level, parts] : table) {
            CAPTURE(what.target);
            const Logged logged;
            static_cast<void>(ask(what));
            const std::string line = logged.text();
            CHECK(std::count(line.begin(), line.end(), '\n') == 1);
            CHECK(line.starts_with(fmt::format("{{\"level\":\"{}\",", level)));
            CHECK(line.ends_with("\"message\":\"request\"}\n"));
            for (const char* part : parts)
                CHECK_MESSAGE(line.find(part) != std::string::npos, line);
        }
    }

    TEST_CASE_FIXTURE(AllOn, "requests are counted by code and method, those in flight as well")
    {
        get("/live");
        get("/live");
        get("/nowhere");
        get("/live", verb::head);
        const std::string text = get("/metrics").body();
        for (const char* line : {"# TYPE http_requests_duration_seconds summary\n",
                 "http_requests_duration_seconds_count{code=\"200\",method=\"get\"} 2\n",
                 "http_requests_duration_seconds_count{code=\"404\",method=\"get\"} 1\n",
                 "http_requests_written_bytes_count{code=\"200\",method=\"head\"} 1\n",
                 "http_requests_written_bytes_sum{code=\"200\",method=\"head\"} 0\n",
                 "http_requests_written_bytes_sum{code=\"200\",method=\"get\"} 10\n",
                 "http_requests_in_flight 1\n", "sonde_log_lines_dropped_total "})
            CHECK_MESSAGE(text.find(line) != std::string::npos, line);
        CHECK(text.find("quantile=") == std::string::npos);
    }

    TEST_CASE_FIXTURE(StatusFixture, "HEAD is GET without the body")
    {
        const auto live = get("/live", verb::head);
        CHECK(live.result_int() == 200);
        CHECK(live[http::field::content_length] == "5");
        CHECK(live.body() == "");
        CHECK(get("/ready", verb::head).result_int() == 503);
        CHECK(get("/nowhere", verb::head).result_int() == 404);
    }

    TEST_CASE_FIXTURE(StatusFixture, "no answer may be kept by a cache")
    {
        for (const char* target : {"/metrics", "/ready", "/live", "/", "/nowhere"}) {
            CAPTURE(target);
            CHECK(get(target)[http::field::cache_control] == "no-store");
        }
    }

    TEST_CASE_FIXTURE(StatusFixture, "an address in use is refused with the address")
    {
        status::StatusServer second{loop.get_executor(), registry, config, actions};
        const auto listening = second.listen({"127.0.0.1", port});
        REQUIRE(listening.has_error());
        CHECK(listening.error().reason == "bind");
        CHECK(listening.error().message.starts_with(fmt::format("127.0.0.1:{}: ", port)));
    }

    TEST_CASE_FIXTURE(StatusFixture, "after stop() nobody is served")
    {
        server.stop();
        CHECK_THROWS_AS(get("/live"), boost::system::system_error);
    }
}
