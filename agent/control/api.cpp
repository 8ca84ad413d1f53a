#include "agent/control/api.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sonde::control {
namespace {

constexpr log::Logger logger{"control"};
using boost::beast::http::field;
using boost::beast::http::status;

std::string random_id()
{
    return sha256_hex(new_probe_token()).substr(0, 32);
}

std::string request_id(const HttpRequest& request)
{
    const std::string_view given{request["X-Request-Id"].data(), request["X-Request-Id"].size()};
    const bool usable = !given.empty() && given.size() <= 128 &&
                        given.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
                            std::string_view::npos;
    return usable ? std::string{given} : random_id();
}

std::string percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        const bool escape =
            text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
                text.data() + i + 3;
        out += escape ? static_cast<char>(byte) : text[i];
        i += escape ? 2 : 0;
    }
    return out;
}

/// Segments of the path: runs of "/" count as one, a trailing one not at all.
std::vector<std::string> segments_of(std::string_view path)
{
    std::vector<std::string> out;
    for (const auto part : text::split(path, '/'))
        if (!part.empty())
            out.push_back(percent_decoded(part));
    return out;
}

std::map<std::string, std::string> query_of(std::string_view target)
{
    std::map<std::string, std::string> out;
    const auto question = target.find('?');
    if (question == std::string_view::npos)
        return out;
    for (const auto part : text::split(target.substr(question + 1), '&'))
        if (!part.empty()) {
            const auto equals = part.find('=');
            out[percent_decoded(part.substr(0, equals))] =
                equals == std::string_view::npos ? "" : percent_decoded(part.substr(equals + 1));
        }
    return out;
}

std::vector<Route> all_routes()
{
    std::vector<Route> routes;
    for (const auto table : {synthetic_register_routes(), synthetic_token_routes(),
             synthetic_check_routes(), synthetic_probe_routes(), synthetic_tenant_routes()})
        routes.insert(routes.end(), table.begin(), table.end());
    return routes;
}

/// How a path fits a route: 0 not at all, 1 with a parameter, 2 literally.
int fit_of(const Route& route, const std::vector<std::string>& path)
{
    const auto pattern = segments_of(route.path);
    if (pattern.size() != path.size())
        return 0;
    int fit = 2;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (pattern[i] == "{id}")
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
        return out + ", OPTIONS";
    }
};

Found find_route(verb method, const std::vector<std::string>& path)
{
    static const std::vector<Route> routes = all_routes();
    Found found;
    int best = 0;
    for (const Route& route : routes)
        best = std::max(best, fit_of(route, path));
    for (const Route& route : routes)
        if (best > 0 && fit_of(route, path) == best) {
            found.routes.push_back(&route);
            if (route.method == method || (route.method == verb::get && method == verb::head))
                found.route = &route;
        }
    return found;
}

/// 1 to 19 digits within int64; nullopt: malformed.
std::optional<std::int64_t> parse_id(const std::string& text)
{
    std::int64_t id = 0;
    const bool digits = !text.empty() && text.size() <= 19 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
    return digits && failure == std::errc{} ? std::optional{id} : std::nullopt;
}

/// The token of `Authorization: Bearer TOKEN`; empty: none that can be used.
std::string bearer_token(const HttpRequest& request)
{
    if (request.count(field::authorization) != 1)
        return {};
    const auto raw = request[field::authorization];
    const std::string_view value = text::trim({raw.data(), raw.size()});
    const auto blank = value.find(' ');
    if (blank == std::string_view::npos || text::lower(value.substr(0, blank)) != "bearer")
        return {};
    return std::string{text::trim(value.substr(blank))};
}

HttpReply unauthorized(std::string_view msg, std::string_view err)
{
    auto reply = refuse(status::unauthorized, msg, err);
    reply.set(field::www_authenticate, "Bearer");
    return reply;
}

bool acceptable_media(const HttpRequest& request)
{
    const auto encoding = request[field::content_encoding];
    if (!encoding.empty() && text::lower({encoding.data(), encoding.size()}) != "identity")
        return false;
    const auto raw = request[field::content_type];
    if (raw.empty())
        return true;
    const auto parts = text::split({raw.data(), raw.size()}, ';');
    if (text::lower(text::trim(parts.front())) != "application/json")
        return false;
    for (const auto part : parts) {
        const std::string parameter = text::lower(text::trim(part));
        if (parameter.starts_with("charset=") && parameter != "charset=utf-8" &&
            parameter != "charset=\"utf-8\"")
            return false;
    }
    return true;
}

}  // namespace

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
    auto reply = refuse(status::service_unavailable, "service unavailable", error.message);
    reply.set(field::retry_after, "5");
    return reply;
}

asio::awaitable<HttpReply> Api::handle(const HttpRequest& request, const net::HttpPeer& peer)
{
    std::string failure;
    HttpReply reply{status::internal_server_error, 11};
    try {
        reply = co_await answer(request, peer);
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted)
            throw;
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    const std::string id = request_id(request);
    if (!failure.empty()) {
        logger.error("a request failed", {{"request_id", id}, {"why", failure}});
        reply = refuse(status::internal_server_error, "internal error", "internal error");
    }
    if (reply.result() != status::no_content)
        reply.set(field::content_type, "application/json; charset=utf-8");
    reply.set(field::cache_control, "no-store");
    reply.set("X-Content-Type-Options", "nosniff");
    reply.set("X-Request-Id", id);
    const std::string_view target{request.target().data(), request.target().size()};
    logger.info(
        "request", {{"method", std::string{request.method_string()}},
                       {"path", target.substr(0, target.find('?'))}, {"status", reply.result_int()},
                       {"from", peer.address.to_string()}, {"request_id", id}});
    co_return reply;
}

asio::awaitable<HttpReply> Api::answer(const HttpRequest& request, const net::HttpPeer& peer)
{
    const std::string_view target{request.target().data(), request.target().size()};
    const auto path = segments_of(target.substr(0, target.find('?')));
    const Found found = find_route(request.method(), path);
    if (found.routes.empty())
        co_return refuse(status::not_found, "unknown path", "not found");
    if (request.method() == verb::options) {
        HttpReply reply{status::no_content, 11};
        reply.set(field::allow, found.allowed());
        co_return reply;
    }
    if (!found.route) {
        auto reply = refuse(status::method_not_allowed, "method not allowed", "method not allowed");
        reply.set(field::allow, found.allowed());
        co_return reply;
    }
    const Route& route = *found.route;
    Call call{request, parts_, 0, 0, {}, query_of(target)};
    if (route.path.ends_with("{id}")) {
        const auto id = parse_id(path.back());
        if (!id)
            co_return refuse(status::bad_request, "Invalid request", "id: malformed identifier");
        call.id = *id;
    }
    auto refused = co_await authorize(route, call);
    if (refused)
        co_return std::move(*refused);
    if (route.takes_body && !acceptable_media(request))
        co_return refuse(status::unsupported_media_type, "the body must be application/json",
            "unsupported media type");
    if (route.takes_body && peer.too_large)
        co_return refuse(
            status::payload_too_large, "request body too large", "request body too large");
    co_return co_await route.handle(call);
}

asio::awaitable<std::optional<HttpReply>> Api::authorize(const Route& route, Call& call)
{
    call.token = bearer_token(call.request);
    if (call.token.empty())
        co_return unauthorized("authorization token required", "missing API token");
    if (route.credential == Credential::publisher) {
        if (parts_.directory()->publisher(call.token))
            co_return std::nullopt;
        co_return unauthorized("invalid API authorization token", "invalid API token");
    }
    auto look_up = [&call](Transaction& db) -> Result<std::int64_t> {
        const auto tenant = store::tenant_of_token(db, call.token);
        return tenant ? Result<std::int64_t>{*tenant} : Error{"unauthorized", "unknown token"};
    };
    const auto tenant = co_await parts_.store.read(look_up);
    if (!tenant)
        co_return refuse(tenant.error(), "");
    call.tenant = *tenant;
    co_return std::nullopt;
}

}  // namespace sonde::control
