#include "agent/control/api.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/request_parts.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

#include <algorithm>
#include <vector>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
using boost::beast::http::field;
using boost::beast::http::status;

std::vector<Route> collect_routes()
{
    std::vector<Route> routes;
    for (const auto table : {synthetic_register_routes(), synthetic_admin_routes(),
             synthetic_token_routes(), synthetic_check_routes(), synthetic_bulk_routes(),
             synthetic_alert_routes(), synthetic_adhoc_routes(), synthetic_probe_routes(),
             synthetic_tenant_routes(), synthetic_settings_routes(), synthetic_label_routes(),
             synthetic_limit_routes(), openapi_routes()})
        routes.insert(routes.end(), table.begin(), table.end());
    return routes;
}

std::vector<std::string> segments_of(std::string_view pattern)
{
    std::vector<std::string> out;
    for (const auto part : text::split(pattern, '/'))
        if (!part.empty())
            out.emplace_back(part);
    return out;
}

constexpr std::string_view id_segment = "{id}";

/// How a path fits a route: 0 not at all, 1 with a parameter, 2 literally.
int fit_of(const Route& route, const std::vector<std::string>& path)
{
    const auto pattern = segments_of(route.path);
    if (pattern.size() != path.size())
        return 0;
    int fit = 2;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (pattern[i] == id_segment)
            fit = 1;
        else if (pattern[i] != path[i])
            return 0;
    }
    return fit;
}

struct Found {
    std::vector<const Route*> routes;  ///< of all methods
    const Route* route = nullptr;      ///< of the request's

    std::string allowed() const
    {
        std::string out;
        for (const Route* each : routes) {
            out.append(out.empty() ? "" : ", ")
                .append(std::string{boost::beast::http::to_string(each->method)});
            if (each->method == verb::get)
                out += ", HEAD";
        }
        return out;
    }
};

Found find_route(verb method, const std::vector<std::string>& path)
{
    Found found;
    int best = 0;
    for (const Route& route : all_routes())
        best = std::max(best, fit_of(route, path));
    for (const Route& route : all_routes())
        if (best > 0 && fit_of(route, path) == best) {
            found.routes.push_back(&route);
            if (route.method == method || (route.method == verb::get && method == verb::head))
                found.route = &route;
        }
    return found;
}

/// The `{id}` of a path whose route has one; nullopt: malformed.
std::optional<std::int64_t> id_of(const Route& route, const std::vector<std::string>& path)
{
    const auto pattern = segments_of(route.path);
    const auto at = std::find(pattern.begin(), pattern.end(), id_segment);
    if (at == pattern.end())
        return 0;
    return parse_id(path[static_cast<std::size_t>(at - pattern.begin())]);
}

HttpReply unauthorized(std::string_view msg, std::string_view err)
{
    auto reply = refuse(status::unauthorized, msg, err);
    reply.set(field::www_authenticate, "Bearer");
    return reply;
}

/// A known path with a method that it does not have: what it has.
HttpReply without_route(const Found& found, verb method)
{
    HttpReply reply{status::no_content, 11};
    if (method != verb::options)
        reply = refuse(status::method_not_allowed, "method not allowed", "method not allowed");
    reply.set(field::allow, found.allowed());
    return reply;
}

/// What is wrong with the body before it is read (spec 04 §1.9, steps 4 and 5).
std::optional<HttpReply> refuse_body(const HttpRequest& request, const net::HttpPeer& peer)
{
    if (!acceptable_media(request))
        return refuse(status::unsupported_media_type, "the body must be application/json",
            "unsupported media type");
    if (peer.too_large)
        return refuse(
            status::payload_too_large, "request body too large", "request body too large");
    return std::nullopt;
}

/// What every answer has, whatever it says (spec 04 §1.6, §1.10).
void complete(HttpReply& reply, const std::string& request_id)
{
    if (reply.result() != status::no_content)
        reply.set(field::content_type, "application/json; charset=utf-8");
    reply.set(field::cache_control, "no-store");
    reply.set("X-Content-Type-Options", "nosniff");
    reply.set("X-Request-Id", request_id);
}

void log_access(const HttpRequest& request, const net::HttpPeer& peer, const HttpReply& reply,
    const std::string& request_id)
{
    const std::string_view target{request.target().data(), request.target().size()};
    logger.info("request",
        {{"method", std::string{request.method_string()}},
            {"path", target.substr(0, target.find('?'))}, {"status", reply.result_int()},
            {"from", peer.address.to_string()}, {"client", logged(request, "X-Client-ID")},
            {"client_version", logged(request, "X-Client-Version")}, {"request_id", request_id}});
}

}  // namespace

std::span<const Route> all_routes()
{
    static const std::vector<Route> routes = collect_routes();
    return routes;
}

HttpReply ok(std::string json)
{
    HttpReply reply{status::ok, 11};
    reply.body() = std::move(json);
    return reply;
}

HttpReply ok(const google::protobuf::Message& body)
{
    return ok(config::write_json(body));
}

HttpReply refuse(status status, std::string_view msg, std::string_view err)
{
    HttpReply reply{status, 11};
    reply.body() = fmt::format(R"({{"code":{},"msg":{},"err":{}}})", static_cast<unsigned>(status),
        quoted(msg), quoted(err));
    return reply;
}

HttpReply refuse(const Error& error, std::string_view invalid_msg, std::string_view taken_msg)
{
    if (error.reason == "bad_json" || error.reason == "bad_value")
        return refuse(status::bad_request, "Invalid request body", error.message);
    if (error.reason == "invalid")
        return refuse(status::bad_request, invalid_msg, error.message);
    if (error.reason == "probes")
        return refuse(status::bad_request, "Invalid probes used for check", error.message);
    if (error.reason == "unknown_admin")
        return unauthorized("invalid admin token", "invalid API token");
    if (error.reason == "forbidden")
        return refuse(status::forbidden, error.message, "forbidden");
    if (error.reason == "not_found")
        return refuse(status::not_found, error.message, "not found");
    if (error.reason == "in_use")
        return refuse(status::conflict, error.message, "probe in use");
    if (error.reason == "not_empty")
        return refuse(status::conflict, error.message, "tenant not empty");
    if (error.reason == "taken" || error.reason == "quota")
        return refuse(status::conflict, taken_msg, error.message);
    if (error.reason == "unauthorized")
        return unauthorized("invalid API authorization token", "invalid API token");
    if (error.reason == "internal")
        return refuse(status::internal_server_error, "internal error", "internal error");
    auto reply = refuse(status::service_unavailable, "service unavailable", error.message);
    reply.set(field::retry_after, "5");
    return reply;
}

asio::awaitable<HttpReply> Api::handle(const HttpRequest& request, const net::HttpPeer& peer)
{
    const std::string id = request_id_of(request);
    std::string failure;
    const auto begun = std::chrono::steady_clock::now();
    Destination destination;
    HttpReply reply{status::internal_server_error, 11};
    try {
        reply = co_await answer(request, peer, id, destination);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    if (!failure.empty()) {
        logger.error("a request failed", {{"request_id", id}, {"why", failure}});
        reply = refuse(status::internal_server_error, "internal error", "internal error");
    }
    throttle(reply, peer);
    complete(reply, id);
    count(request, destination, reply, std::chrono::steady_clock::now() - begun);
    log_access(request, peer, reply, id);
    co_return reply;
}

void Api::complete_refusal(HttpReply& reply)
{
    complete(reply, request_id_of({}));
    parts_.metrics.answered({.code = reply.result_int()});
}

/// A client's version counts of those who are let in: others could make up any number of them.
void Api::count(const HttpRequest& request, const Destination& destination, const HttpReply& reply,
    std::chrono::steady_clock::duration took)
{
    const auto text = [](auto value) { return std::string_view{value.data(), value.size()}; };
    const bool let_in = destination.route && destination.route->credential != Credential::none &&
                        reply.result_int() < 400;
    parts_.metrics.answered({destination.path, text(request.method_string()), reply.result_int(),
        text(request["X-Client-ID"]), text(request["X-Client-Version"]), let_in, took});
}

/// Whoever has been refused too often is told to wait, not whether the credential was right.
void Api::throttle(HttpReply& reply, const net::HttpPeer& peer)
{
    if (reply.result() != status::unauthorized)
        return;
    const auto wait = throttle_.refused(peer.address, AuthThrottle::Clock::now());
    if (!wait)
        return;
    reply = refuse(status::too_many_requests, "too many refused credentials", "throttled");
    reply.set(field::retry_after, std::to_string(wait->count()));
}

std::size_t Api::body_limit(const HttpRequest& request) const
{
    const Route* route = find_route(request.method(), path_of(request)).route;
    return route && route->bulk ? parts_.config.max_bulk_body_bytes : parts_.config.max_body_bytes;
}

asio::awaitable<HttpReply> Api::answer(const HttpRequest& request, const net::HttpPeer& peer,
    const std::string& request_id, Destination& destination)
{
    const auto path = path_of(request);
    const Found found = find_route(request.method(), path);
    if (found.routes.empty())
        co_return refuse(status::not_found, "unknown path", "not found");
    destination = {found.routes.front()->path, found.route};
    if (!found.route)
        co_return without_route(found, request.method());
    const Route& route = *found.route;
    const auto id = id_of(route, path);
    if (!id)
        co_return refuse(status::bad_request, "Invalid request", "id: malformed identifier");
    Call call{request, parts_, *id, 0, {}, query_of(request), request_id};
    auto refused = co_await authorize(route, call);
    if (refused && refused->result() == status::unauthorized)
        parts_.metrics.refused(
            route.credential == Credential::access ? TokenKind::access : TokenKind::publisher,
            call.token.empty() ? Refusal::missing : Refusal::unknown);
    if (!refused && route.takes_body)
        refused = refuse_body(request, peer);
    if (refused)
        co_return std::move(*refused);
    co_return co_await route.handle(call);
}

asio::awaitable<std::optional<HttpReply>> Api::authorize(const Route& route, Call& call)
{
    if (route.credential == Credential::admin || route.credential == Credential::none)
        co_return std::nullopt;
    call.token = bearer_token(call.request);
    if (call.token.empty())
        co_return unauthorized("authorization token required", "missing API token");
    if (route.credential == Credential::access)
        co_return co_await find_tenant(call);
    if (parts_.directory()->publisher(call.token))
        co_return std::nullopt;
    co_return unauthorized("invalid API authorization token", "invalid API token");
}

asio::awaitable<std::optional<HttpReply>> Api::find_tenant(Call& call)
{
    auto look_up = [&call](Transaction& db) -> Result<std::int64_t> {
        const auto tenant = store::tenant_of_token(db, call.token);
        return tenant ? Result<std::int64_t>{*tenant} : Error{"unauthorized", "unknown token"};
    };
    const auto tenant = co_await parts_.store.read(look_up);
    if (!tenant)
        co_return refuse(tenant.error(), "");
    call.tenant = *tenant;
    used_tokens_.insert(lookup_of(call.token));
    co_return std::nullopt;
}

}  // namespace sonde::control
