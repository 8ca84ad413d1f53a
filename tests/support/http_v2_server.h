#pragma once

#include "tests/support/test_ca.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::tests {

namespace asio = boost::asio;

/// A frame of HTTP/2 (RFC 9113 §4.1).
std::string http2_frame(
    std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload);

/// An HTTPS server that speaks nothing but HTTP/2 and answers each request with bytes that a test
/// says; real servers do not misbehave enough.
class Http2Server {
public:
    /// @param answer frames of stream 1, sent when the header frame of a request has come.
    Http2Server(asio::io_context& loop, const Identity& identity, std::string answer);

    std::string address() const;  ///< "127.0.0.1:port"
    int requests() const { return requests_; }

private:
    asio::awaitable<void> accept();
    asio::awaitable<void> serve(asio::ip::tcp::socket socket);
    bool take_frame(std::string& received);

    asio::ip::tcp::acceptor acceptor_;
    asio::ssl::context context_{asio::ssl::context::tls_server};
    std::string answer_;
    int requests_ = 0;
};

}  // namespace sonde::tests
