#include "agent/net/http_server.h"

#include "agent/base/log.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace sonde::net {
namespace {

namespace beast = boost::beast;
namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr log::Logger logger{"net"};
constexpr std::chrono::milliseconds pause_after_refusal{100};
constexpr std::chrono::milliseconds longest_farewell{5000};

/// When a file last changed; zero when it cannot be seen.
timespec changed(const std::string& file)
{
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0)
        return {};
    return facts.st_mtim;
}

bool operator==(const timespec& a, const timespec& b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/// Certificate and key of a listener, read again when a file has changed. What is unusable then is
/// logged, and the old ones stay in use.
class Credentials {
public:
    explicit Credentials(HttpTls files) : files_{std::move(files)} {}

    Result<> load()
    {
        certificate_time_ = changed(files_.certificate_file);
        key_time_ = changed(files_.key_file);
        auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
        error_code failed;
        SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
        if (context->use_certificate_chain_file(files_.certificate_file, failed); failed)
            return error("tls_config", "{}: {}", files_.certificate_file, failed.message());
        if (context->use_private_key_file(files_.key_file, ssl::context::pem, failed); failed)
            return error("tls_config", "{}: {}", files_.key_file, failed.message());
        if (SSL_CTX_check_private_key(context->native_handle()) != 1)
            return error(
                "tls_config", "{} is not the key of {}", files_.key_file, files_.certificate_file);
        context_ = std::move(context);
        return {};
    }

    std::shared_ptr<ssl::context> current()
    {
        const bool same = changed(files_.certificate_file) == certificate_time_ &&
                          changed(files_.key_file) == key_time_;
        if (!same)
            if (const auto loaded = load(); !loaded)
                logger.error(
                    "a changed certificate is not used", {{"why", loaded.error().message}});
        return context_;
    }

private:
    HttpTls files_;
    timespec certificate_time_{};
    timespec key_time_{};
    std::shared_ptr<ssl::context> context_;
};

HttpReply plain_refusal(http::status status, std::string_view why)
{
    HttpReply reply{status, 11};
    reply.set("Content-Type", "application/json; charset=utf-8");
    reply.set("Cache-Control", "no-store");
    reply.body() = fmt::format(R"({{"code": {}, "msg": "{}", "err": "malformed request"}})",
        static_cast<unsigned>(status), why);
    return reply;
}

/// What of a broken request deserves an answer; nullopt: the client has gone or never spoke HTTP.
std::optional<HttpReply> answer_to(const error_code& problem)
{
    if (problem == http::error::header_limit)
        return plain_refusal(
            http::status::request_header_fields_too_large, "request header too large");
    const bool of_http = problem.category() == make_error_code(http::error::bad_method).category();
    if (!of_http || problem == http::error::end_of_stream ||
        problem == http::error::partial_message)
        return std::nullopt;
    return plain_refusal(http::status::bad_request, "malformed HTTP request");
}

template <class Stream>
asio::awaitable<void> send(Stream& stream, HttpReply reply, const HttpRequest& request)
{
    reply.version(11);
    reply.prepare_payload();
    if (request.method() != http::verb::head) {
        co_await http::async_write(stream, reply, asio::use_awaitable);
        co_return;
    }
    http::response_serializer<http::string_body> serializer{reply};
    co_await http::async_write_header(stream, serializer, asio::use_awaitable);
}

using Parser = http::request_parser<http::string_body>;

/// Reads one request. @return what went wrong, or nothing.
template <class Stream>
asio::awaitable<error_code> receive(Stream& stream, beast::flat_buffer& buffer, Parser& parser,
    const HttpLimits& limits, HttpPeer& peer)
{
    error_code problem;
    parser.header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    parser.body_limit(boost::none);
    co_await http::async_read_header(
        stream, buffer, parser, asio::redirect_error(asio::use_awaitable, problem));
    if (problem)
        co_return problem;
    const std::size_t most = limits.body_bytes(parser.get());
    parser.body_limit(most);
    const auto length = parser.content_length();
    peer.too_large = length && *length > most;
    if (peer.too_large)
        co_return problem;
    if (beast::iequals(parser.get()[http::field::expect], "100-continue") && !parser.is_done()) {
        static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        co_await asio::async_write(
            stream, asio::buffer(go_on), asio::redirect_error(asio::use_awaitable, problem));
        if (problem)
            co_return problem;
    }
    co_await http::async_read(
        stream, buffer, parser, asio::redirect_error(asio::use_awaitable, problem));
    if (problem == http::error::body_limit) {
        peer.too_large = true;
        problem.clear();
    }
    co_return problem;
}

/// Serves one connection until either side ends it.
/// @return whether the client may still be sending what nobody is going to read.
template <class Stream>
asio::awaitable<bool> converse(
    Stream& stream, const HttpHandler& handler, const HttpLimits& limits, HttpPeer peer)
{
    beast::flat_buffer buffer;
    auto& transport = beast::get_lowest_layer(stream);
    for (bool more = true; more;) {
        Parser parser;
        peer.too_large = false;
        transport.expires_after(limits.idle);
        const error_code problem = co_await receive(stream, buffer, parser, limits, peer);
        if (problem) {
            auto refusal = answer_to(problem);
            if (refusal) {
                limits.complete(*refusal);
                refusal->keep_alive(false);
                co_await send(stream, std::move(*refusal), parser.get());
            }
            co_return refusal.has_value();
        }
        const HttpRequest request = parser.release();
        transport.expires_never();  // the handler's time is not the client's
        HttpReply reply = co_await handler(request, peer);
        more = request.keep_alive() && !peer.too_large;
        reply.keep_alive(more);
        transport.expires_after(limits.idle);
        co_await send(stream, std::move(reply), request);
    }
    co_return peer.too_large;
}

/// Ends our side and, when the client may still be `sending`, takes that in for a while: to close
/// on bytes not read makes the kernel send a reset, and the client may never see its answer.
asio::awaitable<void> part(
    beast::tcp_stream& transport, bool sending, std::chrono::milliseconds longest)
{
    error_code ended;  // the client may have closed first
    transport.socket().shutdown(tcp::socket::shutdown_send, ended);
    if (!sending)
        co_return;
    transport.expires_after(std::min(longest, longest_farewell));
    std::array<char, 16 * 1024> unread;
    while (!ended)
        co_await transport.async_read_some(
            asio::buffer(unread), asio::redirect_error(asio::use_awaitable, ended));
}

asio::awaitable<void> serve_plain(
    tcp::socket socket, const HttpHandler& handler, const HttpLimits& limits, HttpPeer peer)
{
    beast::tcp_stream stream{std::move(socket)};
    const bool sending = co_await converse(stream, handler, limits, peer);
    co_await part(stream, sending, limits.idle);
}

asio::awaitable<void> serve_tls(tcp::socket socket, std::shared_ptr<ssl::context> context,
    const HttpHandler& handler, const HttpLimits& limits, HttpPeer peer)
{
    beast::ssl_stream<beast::tcp_stream> stream{std::move(socket), *context};
    beast::get_lowest_layer(stream).expires_after(limits.idle);
    co_await stream.async_handshake(ssl::stream_base::server, asio::use_awaitable);
    const bool sending = co_await converse(stream, handler, limits, peer);
    error_code ignored;
    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
    co_await part(beast::get_lowest_layer(stream), sending, limits.idle);
}

Result<std::vector<tcp::endpoint>> endpoints_of(const HostPort& address)
{
    if (address.host.empty())
        return std::vector{tcp::endpoint{asio::ip::address_v6::any(), address.port}};
    if (address.host == "localhost")
        return std::vector{tcp::endpoint{asio::ip::address_v4::loopback(), address.port},
            tcp::endpoint{asio::ip::address_v6::loopback(), address.port}};
    error_code failed;
    const auto ip = asio::ip::make_address(address.host, failed);
    if (!failed)
        return std::vector{tcp::endpoint{ip, address.port}};
    asio::io_context here;  // start-up only: a name is looked up once, and waited for
    tcp::resolver resolver{here};
    std::vector<tcp::endpoint> found;
    for (const auto& entry : resolver.resolve(address.host, std::to_string(address.port), failed))
        found.push_back(entry.endpoint());
    if (failed)
        return error("bind", "{}: {}", address.text(), failed.message());
    return found;
}

Result<tcp::acceptor> bind_to(const asio::any_io_executor& loop, const tcp::endpoint& endpoint)
{
    tcp::acceptor acceptor{loop};
    error_code failed;
    if (acceptor.open(endpoint.protocol(), failed); !failed)
        acceptor.set_option(tcp::acceptor::reuse_address{true}, failed);
    if (!failed && endpoint.address().is_v6())
        acceptor.set_option(asio::ip::v6_only{!endpoint.address().is_unspecified()}, failed);
    if (!failed)
        acceptor.bind(endpoint, failed);
    if (!failed)
        acceptor.listen(tcp::acceptor::max_listen_connections, failed);
    if (failed)
        return error(
            "bind", "{}:{}: {}", endpoint.address().to_string(), endpoint.port(), failed.message());
    return acceptor;
}

}  // namespace

struct HttpServer::Listener {
    tcp::acceptor acceptor;
    std::unique_ptr<Credentials> credentials;  // null: plain
};

HttpServer::HttpServer(const asio::any_io_executor& loop, HttpHandler handler, HttpLimits limits)
    : loop_{loop}, handler_{std::move(handler)}, limits_{std::move(limits)}, tasks_{loop}
{}

HttpServer::~HttpServer() = default;

Result<std::uint16_t> HttpServer::listen(const HostPort& address)
{
    return listen_on(address, nullptr);
}

Result<std::uint16_t> HttpServer::listen(const HostPort& address, const HttpTls& tls)
{
    return listen_on(address, &tls);
}

Result<std::uint16_t> HttpServer::listen_on(const HostPort& address, const HttpTls* tls)
{
    auto endpoints = endpoints_of(address);
    if (!endpoints)
        return endpoints.error();
    std::uint16_t port = 0;
    std::optional<Error> refused;
    for (tcp::endpoint endpoint : *endpoints) {
        if (port != 0)
            endpoint.port(port);  // one port for all addresses of a name
        auto acceptor = bind_to(loop_, endpoint);
        if (!acceptor) {
            refused = acceptor.error();
            continue;  // a host without IPv6 has no ::1
        }
        auto listener = std::make_unique<Listener>(Listener{std::move(*acceptor), nullptr});
        if (tls) {
            listener->credentials = std::make_unique<Credentials>(*tls);
            if (const auto loaded = listener->credentials->load(); !loaded)
                return loaded.error();
        }
        port = listener->acceptor.local_endpoint().port();
        tasks_.spawn(accept(*listener));
        listeners_.push_back(std::move(listener));
    }
    if (port == 0 || (refused && address.host != "localhost"))
        return *refused;
    return port;
}

asio::awaitable<void> HttpServer::accept(Listener& listener)
{
    asio::steady_timer pause{loop_};
    for (;;) {
        tcp::socket socket{loop_};
        error_code refused;
        co_await listener.acceptor.async_accept(
            socket, asio::redirect_error(asio::use_awaitable, refused));
        if (refused == asio::error::operation_aborted || !listener.acceptor.is_open())
            co_return;
        if (refused) {
            logger.warning("no connection accepted", {{"why", refused.message()}});
            pause.expires_after(pause_after_refusal);  // out of descriptors, or the client has gone
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        const auto remote = socket.remote_endpoint(refused);
        if (refused)
            continue;
        const HttpPeer peer{remote.address(), listener.credentials != nullptr, false};
        if (listener.credentials)
            tasks_.spawn(serve_tls(
                std::move(socket), listener.credentials->current(), handler_, limits_, peer));
        else
            tasks_.spawn(serve_plain(std::move(socket), handler_, limits_, peer));
    }
}

void HttpServer::stop()
{
    for (const auto& listener : listeners_) {
        error_code ignored;
        listener->acceptor.close(ignored);
    }
    tasks_.cancel();
}

}  // namespace sonde::net
