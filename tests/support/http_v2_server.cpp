#include "tests/support/http_v2_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace sonde::tests {
namespace {

using asio::ip::tcp;

constexpr std::size_t preface_size = 24;  // RFC 9113 §3.4
constexpr std::size_t frame_head_size = 9;
constexpr std::uint8_t headers = 1;
constexpr std::uint8_t settings = 4;

int choose_http2(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char*,
    unsigned int, void*)
{
    static constexpr unsigned char h2[] = {'h', '2'};
    *chosen = h2;
    *size = sizeof h2;
    return SSL_TLSEXT_ERR_OK;
}

std::string big_endian(std::uint32_t number, int bytes)
{
    std::string out;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(number >> static_cast<unsigned>(shift));
    return out;
}

}  // namespace

std::string http2_frame(
    std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload)
{
    std::string frame = big_endian(static_cast<std::uint32_t>(payload.size()), 3);
    frame += static_cast<char>(type);
    frame += static_cast<char>(flags);
    return frame.append(big_endian(stream, 4)).append(payload);
}

Http2Server::Http2Server(asio::io_context& loop, const Identity& identity, std::string answer)
    : acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}, answer_{std::move(answer)}
{
    context_.use_certificate_chain(asio::buffer(identity.chain));
    context_.use_private_key(asio::buffer(identity.key), asio::ssl::context::pem);
    SSL_CTX_set_alpn_select_cb(context_.native_handle(), choose_http2, nullptr);
    asio::co_spawn(loop, accept(), asio::detached);
}

std::string Http2Server::address() const
{
    return fmt::format("127.0.0.1:{}", acceptor_.local_endpoint().port());
}

asio::awaitable<void> Http2Server::accept()
{
    for (;;) {
        tcp::socket socket{acceptor_.get_executor()};
        boost::system::error_code failed;
        co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, failed));
        if (failed)
            co_return;
        asio::co_spawn(acceptor_.get_executor(), serve(std::move(socket)), asio::detached);
    }
}

/// @return whether `received` began with a whole frame; it was a request or is of no interest.
bool Http2Server::take_frame(std::string& received)
{
    if (received.size() < frame_head_size)
        return false;
    std::size_t size = frame_head_size;
    for (std::size_t i = 0; i < 3; ++i)
        size += static_cast<std::size_t>(static_cast<unsigned char>(received[i])) << (8 * (2 - i));
    if (received.size() < size)
        return false;
    requests_ += static_cast<std::uint8_t>(received[3]) == headers ? 1 : 0;
    received.erase(0, size);
    return true;
}

asio::awaitable<void> Http2Server::serve(tcp::socket socket)
{
    asio::ssl::stream<tcp::socket> stream{std::move(socket), context_};
    boost::system::error_code failed;
    co_await stream.async_handshake(
        asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, failed));
    std::string received;
    std::string preface = http2_frame(settings, 0, 0, "");
    bool begun = false;
    while (!failed) {
        char bytes[4096];
        const std::size_t size = co_await stream.async_read_some(
            asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, failed));
        received.append(bytes, size);
        if (!begun && received.size() >= preface_size) {
            begun = true;
            received.erase(0, preface_size);
            co_await asio::async_write(stream, asio::buffer(preface), asio::use_awaitable);
        }
        const int before = requests_;
        while (begun && take_frame(received))
            continue;
        if (requests_ > before)
            co_await asio::async_write(
                stream, asio::buffer(answer_), asio::redirect_error(asio::use_awaitable, failed));
    }
}

}  // namespace sonde::tests
