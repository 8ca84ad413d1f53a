#include "tests/support/tls_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

namespace sonde::tests {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// Follows a script. @return whether the connection is to be held.
template <class Stream>
asio::awaitable<bool> follow(
    Stream& stream, const std::vector<ScriptedServer::Step>& steps, std::string& received)
{
    error_code failed;
    char bytes[4096];
    for (const ScriptedServer::Step& step : steps) {
        while (!failed && received.find(step.await) == std::string::npos) {
            const std::size_t size = co_await stream.async_read_some(
                asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
            received.append(bytes, size);
        }
        if (!failed)
            co_await asio::async_write(
                stream, asio::buffer(step.send), asio::redirect_error(asio::use_awaitable, failed));
        if (step.hold)
            co_return true;
    }
    co_return false;
}

}  // namespace

struct TlsServer::Connection {
    Connection(tcp::socket accepted, asio::ssl::context& context)
        : socket{std::move(accepted)}, stream{socket, context}
    {}
    tcp::socket socket;
    asio::ssl::stream<tcp::socket&> stream;
};

TlsServer::TlsServer(asio::io_context& loop, const TlsOptions& options, std::vector<Step> inside,
    std::vector<Step> before)
    : acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}
{
    heard_->inside_steps = std::move(inside);
    heard_->before_steps = std::move(before);
    SSL_CTX* const native = context_.native_handle();
    SSL_CTX_set_security_level(native, 0);  // a bad server, if the test wants one
    SSL_CTX_set_min_proto_version(native, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(native, options.newest);
    if (!options.suites.empty())
        SSL_CTX_set_cipher_list(native, options.suites.c_str());
    context_.use_certificate_chain(asio::buffer(options.identity.chain));
    context_.use_private_key(asio::buffer(options.identity.key), asio::ssl::context::pem);
    if (!options.client_ca.empty()) {
        context_.add_certificate_authority(asio::buffer(options.client_ca));
        context_.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    asio::co_spawn(loop, accept(), asio::detached);
}

asio::awaitable<void> TlsServer::accept()
{
    for (;;) {
        tcp::socket socket{acceptor_.get_executor()};
        error_code failed;
        co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        auto connection = std::make_shared<Connection>(std::move(socket), context_);
        asio::co_spawn(
            acceptor_.get_executor(), serve(std::move(connection), heard_), asio::detached);
    }
}

asio::awaitable<void> TlsServer::serve(
    std::shared_ptr<Connection> connection, std::shared_ptr<Heard> heard)
{
    co_await follow(connection->socket, heard->before_steps, heard->before);
    error_code failed;
    co_await connection->stream.async_handshake(
        asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, failed));
    const char* const name =
        SSL_get_servername(connection->stream.native_handle(), TLSEXT_NAMETYPE_host_name);
    heard->name = name ? name : "";
    bool hold = false;
    if (!failed)
        hold = co_await follow(connection->stream, heard->inside_steps, heard->inside);
    char rest[64];
    while (hold && !failed)  // until the client goes
        co_await connection->socket.async_read_some(
            asio::buffer(rest), asio::redirect_error(asio::use_awaitable, failed));
}

}  // namespace sonde::tests
