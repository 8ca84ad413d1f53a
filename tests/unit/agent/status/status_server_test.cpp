// What the process says of itself: the answers of the status server over HTTP.
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

using namespace sonde;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using http::verb;

namespace {

asio::awaitable<net::HttpReply> exchange(std::uint16_t port, verb method, std::string target)
{
    tcp::socket socket{co_await asio::this_coro::executor};
    const tcp::endpoint server{asio::ip::address_v4::loopback(), port};
    co_await socket.async_connect(server, asio::use_awaitable);
    http::request<http::string_body> request{method, target, 11};
    request.set(http::field::host, "localhost");
    request.keep_alive(false);
    request.prepare_payload();
    co_await http::async_write(socket, request, asio::use_awaitable);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.skip(method == verb::head);
    co_await http::async_read(socket, buffer, parser, asio::use_awaitable);
    co_return parser.release();
}

struct StatusFixture {
    asio::io_context loop;
    prometheus::Registry registry;
    std::string not_ready = "no session with the API";
    status::StatusServer server{loop.get_executor(), registry, [this] { return not_ready; }};
    std::uint16_t port = start();

    ~StatusFixture()
    {
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
    net::HttpReply get(const std::string& target, verb method = verb::get)
    {
        return tests::await(loop, exchange(port, method, target));
    }
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

    TEST_CASE_FIXTURE(StatusFixture, "only GET and HEAD are answered; the others are told so")
    {
        for (const verb method : {verb::post, verb::put, verb::delete_, verb::options}) {
            CAPTURE(http::to_string(method));
            for (const char* target : {"/metrics", "/ready", "/live", "/", "/nowhere"}) {
                const auto reply = get(target, method);
                CHECK(reply.result_int() == 405);
                CHECK(reply[http::field::allow] == "GET, HEAD");
            }
        }
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
        status::StatusServer second{loop.get_executor(), registry, [] { return std::string{}; }};
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
