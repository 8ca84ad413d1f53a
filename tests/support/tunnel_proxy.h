#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// An HTTP proxy that does CONNECT (RFC 9110 §9.3.6): every tunnel leads to one loopback port,
/// whatever it asks for.
class TunnelProxy {
public:
    /// `answer`: status line and headers to CONNECT; anything but a 2xx closes the connection.
    TunnelProxy(asio::io_context& loop, std::uint16_t target,
        std::string answer = "HTTP/1.1 200 Connection established\r\n\r\n");

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
    const std::vector<std::string>& asked() const { return asked_; }  ///< heads, by connection

private:
    asio::awaitable<void> accept();
    asio::awaitable<void> serve(asio::ip::tcp::socket client);

    asio::ip::tcp::acceptor acceptor_;
    std::uint16_t target_;
    std::string answer_;
    std::vector<std::string> asked_;
};

}  // namespace sonde::tests
