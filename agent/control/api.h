#pragma once

#include "agent/base/error.h"
#include "agent/control/directory.h"
#include "agent/control/http/auth_throttle.h"
#include "agent/control/metrics.h"
#include "agent/control/store/store.h"
#include "agent/net/http_server.h"
#include "config/agent_config.h"

#include <boost/asio/awaitable.hpp>
#include <google/protobuf/message.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::control {

using boost::beast::http::verb;
using net::HttpReply;
using net::HttpRequest;

/// What all handlers work with; outlives the API.
struct ApiParts {
    Store& store;
    const config::ControlConfig& config;
    std::function<std::shared_ptr<const Directory>()> directory;  ///< the current one
    Metrics& metrics;
    std::string document = {};  ///< of OpenAPI; made when it is first asked for
};

/// What a handler may use: the request, its caller, and the memory behind the API.
struct Call {
    const HttpRequest& request;
    ApiParts& parts;
    std::int64_t id = 0;      ///< of the path, where it has one
    std::int64_t tenant = 0;  ///< from the caller's token, never from the body
    std::string token;        ///< as presented in the header
    std::map<std::string, std::string> query;
    std::string request_id;  ///< of `X-Request-Id`, for the audit

    std::string_view body() const { return request.body(); }
};

/// Who may call (spec 04 §1.3).
enum class Credential {
    access,
    publisher,
    admin,  ///< in the body, for the handler to look up; a header is ignored
    none,   ///< anybody; a header is ignored
};

struct Route {
    verb method;
    std::string_view path;  ///< "/api/v1/check/delete/{id}"
    Credential credential;
    bool takes_body;
    asio::awaitable<HttpReply> (*handle)(Call&);
    bool bulk = false;  ///< its body may be as large as `http.max_bulk_body_bytes`
};

/// All there are.
std::span<const Route> all_routes();

/// Where a request leads.
struct Destination {
    std::string_view path = {};    ///< the pattern; empty: no route has it
    const Route* route = nullptr;  ///< null: none of this method
};

HttpReply ok(std::string json);
HttpReply ok(const google::protobuf::Message& body);

/// The error body of spec 04 §1.8. `err` is the technical reason, `msg` the text for people.
HttpReply refuse(boost::beast::http::status status, std::string_view msg, std::string_view err);

/// An Error as an answer: its reason decides the status. `invalid_msg` is the text for input that
/// breaks a rule, `taken_msg` for what is in use already.
HttpReply refuse(
    const Error& error, std::string_view invalid_msg, std::string_view taken_msg = "conflict");

/// Finds the route, judges credential, media type and size, and has the handler answer
/// (spec 04 §1.9).
class Api {
public:
    explicit Api(ApiParts parts)
        : parts_{std::move(parts)}, throttle_{parts_.config.auth_failures_per_minute}
    {}

    asio::awaitable<HttpReply> handle(const HttpRequest& request, const net::HttpPeer& peer);

    /// The largest body of a request, in bytes, by its path.
    std::size_t body_limit(const HttpRequest& request) const;

    /// The lookup ids of the access tokens that were in use since this was last asked.
    std::set<std::string> take_used_tokens() { return std::exchange(used_tokens_, {}); }

    /// Puts into an answer to what is no request what every answer has, and counts it.
    void complete_refusal(HttpReply& reply);

private:
    /// @param destination filled in, for whoever counts the answer.
    asio::awaitable<HttpReply> answer(const HttpRequest& request, const net::HttpPeer& peer,
        const std::string& request_id, Destination& destination);
    asio::awaitable<std::optional<HttpReply>> authorize(const Route& route, Call& call);
    asio::awaitable<std::optional<HttpReply>> find_tenant(Call& call);

    void throttle(HttpReply& reply, const net::HttpPeer& peer);
    void count(const HttpRequest& request, const Destination& destination, const HttpReply& reply,
        std::chrono::steady_clock::duration took);

    ApiParts parts_;
    AuthThrottle throttle_;
    std::set<std::string> used_tokens_;
};

}  // namespace sonde::control
