#pragma once

#include "agent/base/error.h"
#include "agent/base/host_port.h"
#include "agent/net/task_group.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

namespace sonde::net {

namespace asio = boost::asio;
namespace http = boost::beast::http;

using HttpRequest = http::request<http::string_body>;
using HttpReply = http::response<http::string_body>;

/// What a handler may know besides the request.
struct HttpPeer {
    asio::ip::address address;
    bool tls = false;
    bool too_large = false;  ///< the body went over the limit and was not read: answer 413
};
using HttpHandler = std::function<asio::awaitable<HttpReply>(const HttpRequest&, const HttpPeer&)>;

/// Certificate and key in PEM files; read again when they change.
struct HttpTls {
    std::string certificate_file;
    std::string key_file;
};

struct HttpLimits {
    std::size_t header_bytes = 64 * 1024;
    /// Largest body, asked once the header is there: it may depend on the path.
    std::function<std::size_t(const HttpRequest&)> body_bytes = [](const HttpRequest&) {
        return std::size_t{1} << 20;
    };
    /// Longest time for one request to come in, for an answer to be taken, and for a kept
    /// connection to say nothing; then it is dropped.
    std::chrono::milliseconds idle{30'000};
    /// Puts into an answer of the server's own, to what is no request, what all answers have.
    std::function<void(HttpReply&)> complete = [](HttpReply&) {};
};

/// An HTTP/1.1 server on any number of addresses, plain or TLS. Loop thread only.
class HttpServer {
public:
    HttpServer(const asio::any_io_executor& loop, HttpHandler handler, HttpLimits limits = {});
    ~HttpServer();

    /// Binds now, serves once the loop runs. An empty host means every local address; port 0 lets
    /// the kernel choose. @return the port; Error "bind" or "tls_config" with address and reason.
    Result<std::uint16_t> listen(const HostPort& address);
    Result<std::uint16_t> listen(const HostPort& address, const HttpTls& tls);

    /// No new connections, requests in progress are cancelled; the tasks unwind on the loop.
    void stop();

private:
    struct Listener;
    Result<std::uint16_t> listen_on(const HostPort& address, const HttpTls* tls);
    asio::awaitable<void> accept(Listener& listener);

    asio::any_io_executor loop_;
    HttpHandler handler_;
    HttpLimits limits_;
    std::list<std::unique_ptr<Listener>> listeners_;
    TaskGroup tasks_;
};

}  // namespace sonde::net
