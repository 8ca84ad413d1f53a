#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// A TCP server that does to each connection what a test says, byte by byte; real servers do not
/// misbehave enough.
class ScriptedServer {
public:
    struct Step {
        std::string await = {};             ///< read until this has come; empty: read nothing
        std::string send = {};              ///< then send this; "{port}" in it is the server's own
        bool reset = false;                 ///< then end with RST
        bool hold = false;                  ///< then keep the connection open, silent
        std::chrono::milliseconds delay{};  ///< between the two
    };
    /// The n-th connection follows the n-th script; the last one serves all that follow.
    ScriptedServer(asio::io_context& loop, std::vector<std::vector<Step>> scripts);

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
    const std::vector<std::string>& received() const { return received_; }  ///< by connection

private:
    asio::awaitable<void> accept();
    asio::awaitable<void> serve(
        asio::ip::tcp::socket socket, std::vector<Step> script, std::size_t number);

    asio::ip::tcp::acceptor acceptor_;
    std::vector<std::vector<Step>> scripts_;
    std::vector<std::string> received_;
    std::vector<asio::ip::tcp::socket> held_;
};

/// A UDP server that answers each datagram with what a test makes of it.
class DatagramServer {
public:
    using Answer = std::function<std::vector<std::string>(std::string_view query)>;
    DatagramServer(asio::io_context& loop, Answer answer);

    std::uint16_t port() const { return socket_.local_endpoint().port(); }

private:
    asio::awaitable<void> serve();

    asio::ip::udp::socket socket_;
    Answer answer_;
};

}  // namespace sonde::tests
