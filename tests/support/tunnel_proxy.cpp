#include "tests/support/tunnel_proxy.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>

namespace sonde::tests {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

struct Ends {
    tcp::socket client;
    tcp::socket server;
};

asio::awaitable<void> pump(std::shared_ptr<Ends> ends, bool to_server)
{
    tcp::socket& from = to_server ? ends->client : ends->server;
    tcp::socket& into = to_server ? ends->server : ends->client;
    std::array<char, 4096> buffer{};
    error_code ended;
    for (;;) {
        const auto size = co_await from.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ended));
        if (ended)
            break;
        co_await asio::async_write(into, asio::buffer(buffer.data(), size),
            asio::redirect_error(asio::use_awaitable, ended));
    }
    error_code ignored;
    into.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace

TunnelProxy::TunnelProxy(asio::io_context& loop, std::uint16_t target, std::string answer)
    : acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}, target_{target},
      answer_{std::move(answer)}
{
    asio::co_spawn(loop, accept(), asio::detached);
}

asio::awaitable<void> TunnelProxy::accept()
{
    for (;;) {
        tcp::socket client = co_await acceptor_.async_accept(asio::use_awaitable);
        asio::co_spawn(acceptor_.get_executor(), serve(std::move(client)), asio::detached);
    }
}

asio::awaitable<void> TunnelProxy::serve(tcp::socket client)
{
    std::string head;
    error_code ended;
    co_await asio::async_read_until(client, asio::dynamic_buffer(head), "\r\n\r\n",
        asio::redirect_error(asio::use_awaitable, ended));
    asked_.push_back(head);
    co_await asio::async_write(
        client, asio::buffer(answer_), asio::redirect_error(asio::use_awaitable, ended));
    if (ended || answer_.find(" 2") == std::string::npos)
        co_return;
    auto ends =
        std::make_shared<Ends>(Ends{std::move(client), tcp::socket{acceptor_.get_executor()}});
    const tcp::endpoint to{asio::ip::address_v4::loopback(), target_};
    co_await ends->server.async_connect(to, asio::redirect_error(asio::use_awaitable, ended));
    if (ended)
        co_return;
    asio::co_spawn(acceptor_.get_executor(), pump(ends, false), asio::detached);
    co_await pump(ends, true);
}

}  // namespace sonde::tests
