#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::net {

namespace asio = boost::asio;

class CurlMulti;

/// One request of ours to a server of the operator: a push, a query. Not for checks.
struct HttpCall {
    std::string method = "POST";
    std::string url;
    std::vector<std::string> headers;  ///< "Name: value"
    std::string body;
    std::string username;  ///< empty: no Authorization header
    std::string password;
    std::chrono::milliseconds timeout{5000};  ///< of the whole call
    std::size_t most_of_body = 64 * 1024;     ///< what is kept of the answer's
};

struct HttpAnswer {
    int status = 0;           ///< 0: none came, `error` says why
    std::string body;         ///< its beginning, if it is longer than was asked for
    std::string error;        ///< "Connection refused"
    bool bad_url = false;     ///< the URL cannot be used at all: trying again is no help
    bool sent = false;        ///< the request, or a part of it, has left: without an answer it may
                              ///< have been carried out
    std::string retry_after;  ///< that header as it came; empty: there was none
};

/// Requests over kept-alive connections, HTTP/1.1, no redirects. Loop thread only.
class HttpClient {
public:
    struct Settings {
        std::string ca_file;  ///< empty: the system's trust store
        std::string proxy;    ///< used unless `proxy_from_environment`; empty: none
        bool proxy_from_environment = true;
    };

    HttpClient(CurlMulti& curl, Settings settings) : curl_{curl}, settings_{std::move(settings)} {}

    /// Never throws for the server's faults. @throws system_error(operation_aborted) when
    /// cancelled.
    asio::awaitable<HttpAnswer> send(HttpCall call);

private:
    CurlMulti& curl_;
    Settings settings_;
};

}  // namespace sonde::net
