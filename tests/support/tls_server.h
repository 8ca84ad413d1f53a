#pragma once

#include "tests/support/scripted_server.h"
#include "tests/support/test_ca.h"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sonde::tests {

/// How a TlsServer does its handshakes.
struct TlsOptions {
    Identity identity;
    int newest = 0;              ///< TLS1_2_VERSION, …; 0: all that OpenSSL has
    std::string suites = {};     ///< up to TLS 1.2; empty: OpenSSL's own
    std::string client_ca = {};  ///< PEM; asks for a certificate of it and refuses all others
};

/// A TCP server that follows one script in plain text, does a TLS handshake, and follows another
/// within; the same for every connection.
class TlsServer {
public:
    using Step = ScriptedServer::Step;

    TlsServer(asio::io_context& loop, const TlsOptions& options, std::vector<Step> inside = {},
        std::vector<Step> before = {});

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
    const std::string& received() const { return heard_->inside; }         ///< within TLS
    const std::string& received_before() const { return heard_->before; }  ///< in plain text
    const std::string& asked_for() const { return heard_->name; }          ///< in SNI; empty: none

private:
    struct Connection;
    /// What its connections share; the last of them may outlive the server.
    struct Heard {
        std::vector<Step> inside_steps;
        std::vector<Step> before_steps;
        std::string inside;
        std::string before;
        std::string name;
    };
    asio::awaitable<void> accept();
    static asio::awaitable<void> serve(
        std::shared_ptr<Connection> connection, std::shared_ptr<Heard> heard);

    asio::ip::tcp::acceptor acceptor_;
    asio::ssl::context context_{asio::ssl::context::tls_server};
    std::shared_ptr<Heard> heard_ = std::make_shared<Heard>();
};

}  // namespace sonde::tests
