#pragma once

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
#include <prometheus/registry.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using http::verb;

struct Ask {
    verb method = verb::get;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
};

inline asio::awaitable<net::HttpReply> exchange(std::uint16_t port, Ask ask)
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

inline config::StatusConfig all_on()
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
    net::HttpReply ask(const Ask& what) { return await(loop, exchange(port, what)); }
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

}  // namespace sonde::tests
