#pragma once

#include "agent/net/tls.h"
#include "tests/support/loop.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/err.h>

#include <string>
#include <utility>

namespace sonde::tests {

/// How a handshake ended, and what came after it.
struct Dialled {
    bool accepted = false;  ///< the handshake was completed and the server's first byte came
    net::TlsFailure failure;
};

/// Puts what asio has taken from OpenSSL's queue back, for net::tls_failure().
inline net::TlsFailure failure_of(const boost::system::error_code& failed, const net::TlsPeer& peer)
{
    if (failed.category() == asio::error::get_ssl_category()) {
        const auto code = static_cast<unsigned long>(failed.value());
        ERR_put_error(ERR_GET_LIB(code), 0, ERR_GET_REASON(code), "", 0);
    }
    return net::tls_failure(peer);
}

/// Connects to a port of this host, does the handshake on `connection`, and reads a byte: a server
/// of TLS 1.3 judges a client's certificate only after the client's handshake is done.
inline asio::awaitable<Dialled> dial(std::uint16_t port, SSL* connection, const net::TlsPeer& peer)
{
    using asio::ip::tcp;
    tcp::socket socket{co_await asio::this_coro::executor};
    asio::ssl::stream<tcp::socket&> stream{socket, connection};
    const tcp::endpoint server{asio::ip::address_v4::loopback(), port};
    co_await socket.async_connect(server, asio::use_awaitable);
    ERR_clear_error();
    Dialled outcome;
    boost::system::error_code failed;
    co_await stream.async_handshake(
        asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
    char first = 0;
    if (!failed)
        co_await asio::async_read(
            stream, asio::buffer(&first, 1), asio::redirect_error(asio::use_awaitable, failed));
    outcome.accepted = !failed;
    if (failed)
        outcome.failure = failure_of(failed, peer);
    co_return outcome;
}

}  // namespace sonde::tests
