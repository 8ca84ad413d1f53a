// What the process says of itself: the answers of the status server over HTTP.
#include "agent/base/log.h"
#include "agent/status/status_server.h"
#include "tests/support/loop.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <doctest/doctest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

using namespace sonde;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using http::verb;
using namespace std::chrono_literals;

namespace {

struct Ask {
    verb method = verb::get;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
};

asio::awaitable<net::HttpReply> exchange(std::uint16_t port, Ask ask)
{
    tcp::socket socket{co_await asio::this_coro::executor};
    const tcp::endpoint server{asio::ip::address_v4::loopback(), port};
    co_await socket.async_connect(server, asio::use_awaitable);
    http::request<http::string_body> request{ask.method, ask.target, 11};
    request.set(http::field::host, "localhost");
    for (const auto& [name, value] : ask.headers)
        request.set(name, value);
    request.body() = ask.body;
    request.keep_alive(false);
    request.prepare_payload();
    co_await http::async_write(socket, request, asio::use_awaitable);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.skip(ask.method == verb::head);
    co_await http::async_read(socket, buffer, parser, asio::use_awaitable);
    co_return parser.release();
}

config::StatusConfig all_on()
{
    config::StatusConfig config;
    config.results = true;
    config.allow_reload = true;
    config.allow_disconnect = true;
    config.allow_log_level = true;
    return config;
}

struct StatusFixture {
    explicit StatusFixture(const config::StatusConfig& its_config = {}) : config{its_config} {}
    ~StatusFixture()
    {
        log::configure(log::Level::warning, log::Format::text);
        server.stop();
        loop.restart();
        loop.poll();  // its tasks unwind
    }
    std::uint16_t start()
    {
        const auto listening = server.listen({"127.0.0.1", 0});
        REQUIRE(listening.has_value());
        return *listening;
    }
    net::HttpReply ask(const Ask& what) { return tests::await(loop, exchange(port, what)); }
    net::HttpReply get(const std::string& target, verb method = verb::get)
    {
        return ask({method, target});
    }
    net::HttpReply post(const std::string& target, const std::string& body = "")
    {
        return ask({verb::post, target, {}, body});
    }
    asio::awaitable<std::vector<std::string>> reload()
    {
        ++reloads;
        if (meanwhile) {
            const auto reply = co_await exchange(port, *meanwhile);
            said_meanwhile = reply.body();
        }
        if (broken)
            throw std::runtime_error{"the disk has gone"};
        co_return problems;
    }
    std::vector<exporters::Payload> results() const
    {
        exporters::Payload payload;
        payload.series = std::make_shared<const exporters::Identities>(
            std::vector<exporters::LabelSet>{{{"__name__", "probe_success"}, {"job", "shop"}}});
        payload.values = {1};
        return {payload};
    }

    config::StatusConfig config;
    asio::io_context loop;
    prometheus::Registry registry;
    std::string not_ready = "no session with the API";
    std::chrono::milliseconds away{60'000};
    int disconnects = 0;
    int reloads = 0;
    std::vector<std::string> problems;
    bool broken = false;
    std::optional<Ask> meanwhile;  ///< what somebody else asks while a reload goes on
    std::string said_meanwhile;
    status::Actions actions{[this] { return not_ready; },
        [this] {
            ++disconnects;
            return away;
        },
        [this] { return reload(); }, [this] { return results(); }};
    status::StatusServer server{loop.get_executor(), registry, config, actions};
    std::uint16_t port = start();
};

struct AllOn : StatusFixture {
    AllOn() : StatusFixture{all_on()} {}
};

/// What is written to standard error meanwhile.
class Logged {
public:
    Logged() : kept_{::dup(STDERR_FILENO)} { ::dup2(::fileno(file_), STDERR_FILENO); }
    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;
    ~Logged()
    {
        ::dup2(kept_, STDERR_FILENO);
        ::close(kept_);
        std::fclose(file_);
    }
    std::string text() const
    {
        std::string out(10'000, '\0');
        out.resize(static_cast<std::size_t>(
            std::max<ssize_t>(0, ::pread(::fileno(file_), out.data(), out.size(), 0))));
        return out;
    }

private:
    std::FILE* file_ = std::tmpfile();
    int kept_;
};

}  // namespace

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

    TEST_CASE_FIXTURE(AllOn, "a page in a browser cannot have the daemon do anything")
    {
        const std::pair<std::string, std::string> origin{"Origin", "http://localhost:4050"};
        const Ask refused[] = {
            {verb::post, "/disconnect", {origin}},
            {verb::post, "/logger", {{"Origin", "null"}}, "debug"},
            {verb::post, "/-/reload", {origin}},
            {verb::post, "/-/reload", {{"Sec-Fetch-Site", "cross-site"}}},
            {verb::get, "/disconnect", {origin}},
            {verb::get, "/disconnect", {{"Sec-Fetch-Site", "none"}}},
            {verb::get, "/disconnect", {{"User-Agent", "Mozilla/5.0 (X11; Linux)"}}},
        };
        for (const Ask& each : refused) {
            CAPTURE(each.target);
            const auto reply = ask(each);
            CHECK(reply.result_int() == 403);
            CHECK(reply.body() == "not from a browser\n");
        }
        CHECK(disconnects + reloads == 0);
        CHECK(ask({verb::get, "/metrics", {origin}}).result_int() == 200);
        CHECK(ask({verb::get, "/results", {origin}}).result_int() == 200);
        CHECK(ask({verb::get, "/disconnect", {{"User-Agent", "curl/7.88.1"}}}).result_int() == 200);
    }

    TEST_CASE_FIXTURE(AllOn, "/disconnect says for how long; without a session there is a conflict")
    {
        const std::pair<std::chrono::milliseconds, const char*> table[] = {
            {60s, "1 minute"}, {300s, "5 minutes"}, {1s, "1 second"}, {90s, "90 seconds"}};
        for (const auto& [time, words] : table) {
            away = time;
            CHECK(post("/disconnect").body() ==
                  fmt::format("disconnecting this agent from the API for {}.\n", words));
        }
        away = 0s;
        const auto none = post("/disconnect");
        CHECK(none.result_int() == 409);
        CHECK(none.body() == "there is no session with an API\n");
    }

    TEST_CASE_FIXTURE(
        AllOn, "/logger: the first ten bytes, in any case, are a level or \"default\"")
    {
        log::configure(log::Level::error, log::Format::text);
        const auto lines = [] {
            constexpr log::Logger logger{"test"};
            const Logged logged;
            logger.warning("w");
            logger.info("i");
            logger.debug("d");
            const std::string text = logged.text();
            return std::count(text.begin(), text.end(), '\n');
        };
        const std::pair<const char*, int> table[] = {{"warning", 1}, {"info", 2}, {"debug", 3},
            {"trace", 3}, {"error", 0}, {" DEBUG\r\n", 3}, {"Default", 0},
            {"info\n\n\n\n\n\nmore", 2}, {"default", 0}};
        for (const auto& [word, count] : table) {
            CAPTURE(word);
            const auto reply = post("/logger", word);
            CHECK(reply.result_int() == 200);
            CHECK(reply.body() == "");
            CHECK(lines() == count);
        }
        for (const char* word : {"", "warn", "verbose", "debug it", "default trace", "0"}) {
            CAPTURE(word);
            const auto reply = post("/logger", word);
            CHECK(reply.result_int() == 400);
            CHECK(reply.body().ends_with(
                " is not one of error, warning, info, debug, trace, default\n"));
            CHECK(lines() == 0);
        }
        CHECK(post("/logger", std::string(5000, 'x')).result_int() == 413);
    }

    TEST_CASE_FIXTURE(AllOn, "/-/reload: applied, refused with all problems, or failed")
    {
        const auto applied = post("/-/reload");
        CHECK(applied.result_int() == 200);
        CHECK(applied.body() == "reloaded\n");
        problems = {"sonde.yaml:3: api.adress: is not an option", "status.listen: needs a restart"};
        const auto refused = post("/-/reload");
        CHECK(refused.result_int() == 400);
        CHECK(refused.body() == problems[0] + "\n" + problems[1] + "\n");
        broken = true;
        const auto failed = post("/-/reload");
        CHECK(failed.result_int() == 500);
        CHECK(failed.body() == "the disk has gone\n");
        broken = false;
        problems.clear();
        CHECK(post("/-/reload").result_int() == 200);
    }

    TEST_CASE_FIXTURE(AllOn, "one reload at a time; other questions are answered meanwhile")
    {
        meanwhile = Ask{verb::post, "/-/reload"};
        CHECK(post("/-/reload").result_int() == 200);
        CHECK(said_meanwhile == "a reload is in progress\n");
        CHECK(reloads == 1);
        meanwhile = Ask{verb::get, "/live"};
        CHECK(post("/-/reload").result_int() == 200);
        CHECK(said_meanwhile == "live\n");
    }

    TEST_CASE_FIXTURE(AllOn, "/results is for Prometheus to scrape")
    {
        const auto reply = get("/results");
        CHECK(reply[http::field::content_type] == "text/plain; version=0.0.4; charset=utf-8");
        CHECK(reply.body() == "# TYPE probe_success untyped\nprobe_success{job=\"shop\"} 1\n");
    }

    TEST_CASE("what is allowed and not there for this daemon says so")
    {
        asio::io_context loop;
        prometheus::Registry registry;
        status::StatusServer server{
            loop.get_executor(), registry, all_on(), {[] { return std::string{}; }}};
        const auto port = server.listen({"127.0.0.1", 0});
        REQUIRE(port.has_value());
        const auto status_of = [&](const Ask& what) {
            return tests::await(loop, exchange(*port, what)).result_int();
        };
        CHECK(status_of({verb::post, "/disconnect"}) == 409);
        CHECK(status_of({verb::post, "/-/reload"}) == 400);
        CHECK(status_of({verb::get, "/results"}) == 200);
        server.stop();
        loop.restart();
        loop.poll();
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
