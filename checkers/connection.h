#pragma once

#include "agent/net/tls.h"
#include "checkers/check.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace sonde::checkers {

/// A TCP connection of a run, plain or TLS, and from plain to TLS in the middle.
class Connection {
public:
    explicit Connection(const asio::any_io_executor& loop);
    ~Connection();

    /// Connects to the one address, from `source` unless that is empty. @return the verdict, with
    /// code "connect" when it failed; not logged.
    asio::awaitable<Verdict> connect(asio::ip::tcp::endpoint to, std::string source);

    /// TLS handshake as client. @return the verdict, with code "tls" when it failed; not logged.
    asio::awaitable<Verdict> handshake(const net::TlsContext& context, net::TlsPeer& peer);

    /// Some bytes. An empty string is the end of the stream. @throws system_error.
    asio::awaitable<std::string> read_some();
    /// All of them. @throws system_error.
    asio::awaitable<void> write(std::string bytes);

    /// For how long the last of connect(), handshake(), read_some() and write() was done before we
    /// noticed, and, of a handshake, the peer waited for us: no time of the peer's.
    std::chrono::nanoseconds late() const { return late_; }

    std::string_view tls_version() const;  ///< "TLS 1.3"; empty when plain
    std::string tls_cipher() const;

private:
    struct Tls;
    class Layer;
    asio::ip::tcp::socket socket_;
    std::chrono::steady_clock::time_point began_;
    std::chrono::nanoseconds late_{0};
    std::unique_ptr<Tls> tls_;  // null: plain
};

}  // namespace sonde::checkers
