#pragma once

#include "agent/net/kernel_stamp.h"
#include "agent/net/tls.h"
#include "checkers/check.h"
#include "checkers/http/body.h"
#include "checkers/http/http.h"
#include "checkers/http/phases.h"
#include "checkers/http/response.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <curl/curl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sonde::checkers::http {

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
/// One handle for all hops of a run: its cookies go from hop to hop, its connections do not.
using Easy = std::unique_ptr<CURL, FreeEasy>;

/// One request, as it is to be sent.
struct HopRequest {
    Url url;
    asio::ip::address address;  ///< of the target, or of the proxy
    std::string method;
    std::vector<Header> headers;   ///< all of them, Host included
    std::string body;              ///< sent when not empty
    std::string cookies;           ///< the user's own, besides those of the jar
    std::string tls_name;          ///< sent as SNI and verified
    const Proxy* proxy = nullptr;  ///< the connection goes to it; null: to the target
};

/// One hop on libcurl: a new connection, one request, one response (spec 02 §9.1). What it has
/// reached can be read at any moment, also after it was cancelled.
class Hop {
public:
    /// @param is_final asked once the head is there: whether the body is the run's business.
    Hop(Run& run, HopRequest request, std::shared_ptr<const net::TlsContext> tls, Body& body,
        std::function<bool(const ResponseHead&)> is_final);

    /// @return the verdict when there is no response: "connect", "tls" or "http_request". A body
    /// that breaks off shows in body_failure().
    asio::awaitable<Verdict> perform(CURL* easy);

    Stamps stamps;
    const ResponseHead& head() const { return head_; }
    const net::TlsPeer& peer() const { return peer_; }
    std::string_view tls_version() const;
    const std::string& tls_cipher() const { return cipher_; }
    const HopRequest& request() const { return request_; }
    const Verdict& body_failure() const { return body_failure_; }
    bool head_request() const { return request_.method == "HEAD"; }
    /// Whether the head has come and ends the chain: no redirect that is followed.
    bool is_final() const { return final_; }

private:
    static constexpr std::size_t most_header_bytes = 300 * 1024;

    void prepare(CURL* easy);
    void use_proxy(CURL* easy);
    void trust(CURL* easy);
    void set_request(CURL* easy);
    std::string request_target() const;
    void note_tls();
    Clock::time_point connected_at(Clock::time_point noticed) const;
    void note_handshake();
    Verdict judge(CURL* easy, CURLcode code);
    Verdict no_response(
        CURLcode code, const boost::system::error_code& system, const std::string& detail);
    Verdict connect_failed(
        const boost::system::error_code& system, const std::string& detail) const;
    Verdict request_failed(std::string_view why, std::string_view cause) const;
    std::optional<Verdict> proxy_failure(
        CURL* easy, CURLcode code, const boost::system::error_code& system);
    Verdict tls_verdict(std::string_view detail) const;
    std::size_t on_header(std::string_view line);
    std::size_t on_body(std::string_view bytes);

    static std::size_t header_callback(char* data, std::size_t, std::size_t size, void* self);
    static std::size_t body_callback(char* data, std::size_t, std::size_t size, void* self);
    static int ready_callback(void* self, char*, char*, int, int);
    static curl_socket_t open_callback(void* self, curlsocktype, curl_sockaddr* to);
    static int close_callback(void* self, curl_socket_t socket);
    static CURLcode tls_callback(CURL*, void* context, void* self);

    Run& run_;
    CURL* easy_ = nullptr;
    curl_socket_t socket_ = CURL_SOCKET_BAD;
    int open_failed_ = 0;  ///< errno
    net::Arrivals arrivals_;
    std::chrono::nanoseconds late_before_tls_{0};  ///< of arrivals_
    HopRequest request_;
    std::shared_ptr<const net::TlsContext> tls_;
    net::TlsPeer peer_;
    net::TlsPeer proxy_peer_;
    int handshakes_ = 0;  ///< begun: with an https proxy the first is the proxy's
    Body& body_;
    std::function<bool(const ResponseHead&)> is_final_;
    ResponseHead head_;
    bool final_ = false;
    bool malformed_ = false;
    bool stopped_ = false;  // by us: the rest of the response is of no use
    int attempts_ = 0;
    std::size_t header_bytes_ = 0;
    std::size_t redirect_bytes_ = 0;
    int tls_version_ = 0;
    std::string cipher_;
    Verdict body_failure_ = Verdict::pass();
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> header_list_{nullptr, curl_slist_free_all};
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> connect_to_{nullptr, curl_slist_free_all};
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> proxy_headers_{nullptr, curl_slist_free_all};
    char detail_[CURL_ERROR_SIZE] = "";
};

}  // namespace sonde::checkers::http
