#pragma once

#include "agent/net/http_server.h"
#include "tests/support/loop.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::tests {

using boost::system::error_code;

/// A client that says exactly what a test wants.
class RawClient {
public:
    RawClient(asio::io_context& loop, std::uint16_t port) : loop_{loop}, socket_{loop}
    {
        socket_.connect({asio::ip::address_v4::loopback(), port});
    }

    /// @return whether all of it was taken.
    bool say(const std::string& text) { return await(loop_, write(text)); }

    /// What comes up to and with `marker`, or to the end if it never comes.
    std::string hear(const std::string& marker) { return await(loop_, read_to(marker)); }

    /// All that comes until the server ends the connection; `ended` then says how.
    std::string hear_all() { return await(loop_, read_all()); }

    void close() { socket_.close(); }

    error_code ended;  ///< of the last read or write

private:
    asio::awaitable<bool> write(std::string text)
    {
        co_await asio::async_write(
            socket_, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ended));
        co_return !ended;
    }

    asio::awaitable<std::string> read_to(std::string marker)
    {
        const std::size_t size = co_await asio::async_read_until(socket_,
            asio::dynamic_buffer(heard_), marker, asio::redirect_error(asio::use_awaitable, ended));
        const std::size_t taken = ended ? heard_.size() : size;
        std::string part = heard_.substr(0, taken);
        heard_.erase(0, taken);
        co_return part;
    }

    asio::awaitable<std::string> read_all()
    {
        co_await asio::async_read(socket_, asio::dynamic_buffer(heard_), asio::transfer_all(),
            asio::redirect_error(asio::use_awaitable, ended));
        co_return std::exchange(heard_, {});
    }

    asio::io_context& loop_;
    asio::ip::tcp::socket socket_;
    std::string heard_;
};

/// A server whose handler says what it was asked, and does what the path says.
struct Serving {
    asio::io_context loop;
    net::HttpLimits limits;
    std::optional<net::HttpServer> server;
    bool unwound = false;                   ///< the handler of /hang was cancelled
    std::function<void()> on_hang = [] {};  ///< that handler has begun

    ~Serving() { finish(); }

    std::uint16_t start(const std::optional<net::HttpTls>& tls = std::nullopt)
    {
        auto handler = [this](const net::HttpRequest& request, const net::HttpPeer& peer) {
            return answer(request, peer);
        };
        server.emplace(loop.get_executor(), handler, limits);
        const auto port =
            tls ? server->listen({"127.0.0.1", 0}, *tls) : server->listen({"127.0.0.1", 0});
        REQUIRE_MESSAGE(port.has_value(), (port ? std::string{} : port.error().message));
        return *port;
    }

    /// Stops and lets everything unwind; nothing may be left that keeps the loop.
    void finish()
    {
        if (!server)
            return;
        server->stop();
        loop.restart();
        loop.run_for(std::chrono::seconds{5});
        CHECK(loop.stopped());
        server.reset();
    }

private:
    asio::awaitable<net::HttpReply> answer(
        const net::HttpRequest& request, const net::HttpPeer& peer)
    {
        net::HttpReply reply{net::http::status::ok, 11};
        const std::string target = request.target();
        reply.body() = fmt::format("[{} {} {} {}]", std::string{request.method_string()}, target,
            request.body(), peer.address.to_string());
        if (peer.too_large)
            reply.result(net::http::status::payload_too_large);
        if (target == "/absent")
            reply.result(net::http::status::not_found);
        if (target == "/readonly" && request.method() != net::http::verb::get) {
            reply.result(net::http::status::method_not_allowed);
            reply.set(net::http::field::allow, "GET");
        }
        if (target == "/throw")
            throw std::runtime_error{"a bug"};
        if (target == "/hang")
            co_await hang();
        co_return reply;
    }

    asio::awaitable<void> hang()
    {
        asio::steady_timer never{loop, asio::steady_timer::time_point::max()};
        error_code cancelled;
        on_hang();
        co_await never.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
        unwound = cancelled == asio::error::operation_aborted;
        if (cancelled)
            throw boost::system::system_error{cancelled};
    }
};

inline std::string get(const std::string& path, const std::string& more = "")
{
    return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

inline std::string post(const std::string& path, const std::string& body)
{
    return fmt::format(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path, body.size(), body);
}

inline bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace sonde::tests
