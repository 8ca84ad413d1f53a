#include "checkers/connection.h"

#include "checkers/dial.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>

#include <array>

namespace sonde::checkers {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t read_size = 16 * 1024;

Verdict connect_failure(const tcp::endpoint& to, const error_code& error, std::string_view cause)
{
    const std::string where = to.address().is_v6()
                                  ? fmt::format("[{}]:{}", to.address().to_string(), to.port())
                                  : fmt::format("{}:{}", to.address().to_string(), to.port());
    if (cause.starts_with("local_"))
        return Verdict::fail("connect",
            fmt::format("this probe cannot connect to {}: {}", where, error.message()), cause)
            .with("address", where);
    return Verdict::fail(
        "connect", fmt::format("connection to {} failed: {}", where, error.message()), cause)
        .with("address", where);
}

void open_and_bind(
    tcp::socket& socket, const tcp::endpoint& to, const std::string& source, error_code& failed)
{
    if (socket.open(to.protocol(), failed); failed || source.empty())
        return;
    socket.bind(tcp::endpoint{asio::ip::make_address(source), 0}, failed);
}

}  // namespace

struct Connection::Tls {
    Tls(tcp::socket& socket, SSL* connection) : stream{socket, connection} {}
    asio::ssl::stream<tcp::socket&> stream;
};

Connection::Connection(const asio::any_io_executor& loop) : socket_{loop} {}

Connection::~Connection() = default;

asio::awaitable<Verdict> Connection::connect(tcp::endpoint to, std::string source)
{
    if (!source.empty())
        if (auto usable = source_address(source, to.address(), "connect"); !usable.failure.passed())
            co_return std::move(usable.failure);
    error_code failed;
    open_and_bind(socket_, to, source, failed);
    if (failed) {
        const bool of_source =
            !source.empty() && (failed.value() == EADDRNOTAVAIL || failed.value() == EINVAL);
        co_return connect_failure(
            to, failed, of_source ? "local_source_address" : cause_of(failed, to.address()));
    }
    co_await socket_.async_connect(to, asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted)
        throw boost::system::system_error{failed};
    if (failed)
        co_return connect_failure(to, failed, cause_of(failed, to.address()));
    error_code ignored;  // a speed-up, not a need
    socket_.set_option(tcp::no_delay{true}, ignored);
    co_return Verdict::pass();
}

asio::awaitable<Verdict> Connection::handshake(const net::TlsContext& context, net::TlsPeer& peer)
{
    tls_ = std::make_unique<Tls>(socket_, context.connection(peer).release());
    ERR_clear_error();
    error_code failed;
    co_await tls_->stream.async_handshake(
        asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted)
        throw boost::system::system_error{failed};
    if (!failed)
        co_return Verdict::pass();
    if (failed.category() == asio::error::get_ssl_category())  // asio took it from OpenSSL's queue
        ERR_put_error(ERR_GET_LIB(static_cast<unsigned long>(failed.value())), 0,
            ERR_GET_REASON(static_cast<unsigned long>(failed.value())), "", 0);
    const net::TlsFailure why = net::tls_failure(peer);
    const bool ended = failed == asio::error::eof || failed == asio::ssl::error::stream_truncated;
    const std::string_view cause = !why.cause.empty() ? why.cause
                                   : ended            ? "closed"
                                                      : cause_of(failed);
    std::string what = why.message;
    if (what.empty())
        what = ended ? "the peer closed the connection" : failed.message();
    if (why.alert)
        what += fmt::format(" (alert {})", *why.alert);
    Verdict verdict = Verdict::fail(
        "tls", fmt::format("TLS handshake with {} failed: {}", peer.name, what), cause)
                          .with("server_name", peer.name);
    if (why.alert)
        verdict.attributes.emplace_back("alert", *why.alert);
    co_return verdict;
}

asio::awaitable<std::string> Connection::read_some()
{
    std::string bytes(read_size, '\0');
    error_code ended;
    std::size_t size = 0;
    const auto buffer = asio::buffer(bytes);
    if (tls_)
        size = co_await tls_->stream.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, ended));
    else
        size = co_await socket_.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, ended));
    if (ended && ended != asio::error::eof && ended != asio::ssl::error::stream_truncated)
        throw boost::system::system_error{ended};
    bytes.resize(size);
    co_return bytes;
}

asio::awaitable<void> Connection::write(std::string bytes)
{
    if (tls_)
        co_await asio::async_write(tls_->stream, asio::buffer(bytes), asio::use_awaitable);
    else
        co_await asio::async_write(socket_, asio::buffer(bytes), asio::use_awaitable);
}

std::string_view Connection::tls_version() const
{
    return tls_ ? net::tls_version_name(SSL_version(tls_->stream.native_handle()))
                : std::string_view{};
}

std::string Connection::tls_cipher() const
{
    return tls_ ? net::tls_cipher_name(SSL_get_current_cipher(tls_->stream.native_handle()))
                : std::string{};
}

}  // namespace sonde::checkers
