#include "checkers/connection.h"

#include "agent/net/kernel_stamp.h"
#include "checkers/dial.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>

#include <optional>
#include <utility>

namespace sonde::checkers {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t read_size = 16 * 1024;
constexpr std::size_t short_write = 8 * 1024;  // socket buffers are larger

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

/// The socket as TLS sees it: tells how long bytes had been there before they were read.
class Connection::Layer {
public:
    using executor_type = tcp::socket::executor_type;
    using lowest_layer_type = tcp::socket::lowest_layer_type;

    explicit Layer(Connection& connection) : connection_{&connection} {}

    executor_type get_executor() { return connection_->socket_.get_executor(); }
    lowest_layer_type& lowest_layer() { return connection_->socket_.lowest_layer(); }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token)
    {
        settled_ += std::exchange(last_, std::chrono::nanoseconds::zero()) + starved_since_read();
        starved_before_.reset();
        written_ = Clock::now();
        return connection_->socket_.async_write_some(buffers, std::forward<Token>(token));
    }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token)
    {
        const asio::mutable_buffer into = *asio::buffer_sequence_begin(buffers);
        auto read = [this, into, waited = false](auto& self, error_code failed = {}) mutable {
            net::Received got;
            if (waited && !failed)
                got = receive(into);
            if (!waited || got.error == asio::error::would_block) {
                waited = true;
                connection_->socket_.async_wait(tcp::socket::wait_read, std::move(self));
                return;
            }
            self.complete(failed ? failed : got.error, got.size);
        };
        return asio::async_compose<Token, void(error_code, std::size_t)>(
            std::move(read), token, connection_->socket_);
    }

    void restart() { *this = Layer{*connection_}; }
    /// Of all that had to be replied to, and of the last bytes; and since they were written, if we
    /// have had the last word: the kernel takes what is short at once. In TLS, whose cryptography
    /// takes longer than a core may be ours, also while we had none in the midst of that.
    std::chrono::nanoseconds late() const
    {
        const auto since_written = written_ ? Clock::now() - *written_ : Clock::duration::zero();
        return settled_ + last_ + starved_since_read() + since_written;
    }

private:
    using Clock = std::chrono::steady_clock;

    net::Received receive(const asio::mutable_buffer& into)
    {
        auto got = net::receive(
            connection_->socket_.native_handle(), {static_cast<char*>(into.data()), into.size()});
        if (!got.error && got.size == 0)
            got.error = asio::error::eof;
        written_.reset();
        last_ = got.late(connection_->began_);
        if (connection_->tls_)
            starved_before_ = net::starved();
        return got;
    }

    std::chrono::nanoseconds starved_since_read() const
    {
        return starved_before_ ? net::starved() - *starved_before_
                               : std::chrono::nanoseconds::zero();
    }

    Connection* connection_;
    std::chrono::nanoseconds last_{0};
    std::chrono::nanoseconds settled_{0};
    std::optional<Clock::time_point> written_;                // since then nothing has been read
    std::optional<std::chrono::nanoseconds> starved_before_;  // of TLS, when bytes were read
};

struct Connection::Tls {
    Tls(Connection& on, SSL* connection) : stream{Layer{on}, connection} {}
    asio::ssl::stream<Layer> stream;
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
    net::stamp_received(socket_.native_handle());
    began_ = std::chrono::steady_clock::now();
    co_await socket_.async_connect(to, asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted)
        throw boost::system::system_error{failed};
    if (failed)
        co_return connect_failure(to, failed, cause_of(failed, to.address()));
    const auto measured = std::chrono::steady_clock::now() - began_;
    late_ = measured - net::handshake_time(socket_.native_handle(), measured).value_or(measured);
    error_code ignored;  // a speed-up, not a need
    socket_.set_option(tcp::no_delay{true}, ignored);
    co_return Verdict::pass();
}

asio::awaitable<Verdict> Connection::handshake(const net::TlsContext& context, net::TlsPeer& peer)
{
    tls_ = std::make_unique<Tls>(*this, context.connection(peer).release());
    ERR_clear_error();
    error_code failed;
    co_await tls_->stream.async_handshake(
        asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
    if (failed == asio::error::operation_aborted)
        throw boost::system::system_error{failed};
    late_ = tls_->stream.next_layer().late();
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
    if (tls_) {
        tls_->stream.next_layer().restart();
        size = co_await tls_->stream.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, ended));
        late_ = tls_->stream.next_layer().late();
    } else {
        Layer layer{*this};
        size = co_await layer.async_read_some(
            buffer, asio::redirect_error(asio::use_awaitable, ended));
        late_ = layer.late();
    }
    if (ended && ended != asio::error::eof && ended != asio::ssl::error::stream_truncated)
        throw boost::system::system_error{ended};
    bytes.resize(size);
    co_return bytes;
}

asio::awaitable<void> Connection::write(std::string bytes)
{
    Layer plain{*this};
    Layer& layer = tls_ ? tls_->stream.next_layer() : plain;
    layer.restart();
    if (tls_)
        co_await asio::async_write(tls_->stream, asio::buffer(bytes), asio::use_awaitable);
    else
        co_await asio::async_write(plain, asio::buffer(bytes), asio::use_awaitable);
    late_ = bytes.size() <= short_write ? layer.late() : std::chrono::nanoseconds::zero();
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
