#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/audit.h"
#include "agent/control/store/tenants.h"

namespace sonde::control {
namespace {

/// The token under both keys that clients read (spec 04 §3.6).
HttpReply ok_with(std::string_view msg, const std::string& token)
{
    return ok(fmt::format(
        R"({{"msg":{},"accessToken":{},"token":{}}})", quoted(msg), quoted(token), quoted(token)));
}

/// The new token is known by its lookup id, as all are.
Result<std::string> issue(
    const Call& call, Transaction& db, std::string_view origin, std::string_view action)
{
    auto token =
        store::issue_token(db, call.tenant, origin, call.parts.config.max_tokens_per_tenant);
    if (token)
        store::audit(db, {store::actor_of(call.tenant, call.token), std::string{action},
                             "token " + lookup_of(*token), call.request_id});
    return token;
}

/// Of two that use one token at the same time, the second finds it gone: 401.
Result<> drop(const Call& call, Transaction& db)
{
    if (!store::delete_token(db, call.token))
        return error("unauthorized", "the token is gone");
    return {};
}

asio::awaitable<HttpReply> create_token(Call& call)
{
    auto create = [&](Transaction& db) { return issue(call, db, "create", "token/create"); };
    const auto token = co_await call.parts.store.write(create);
    if (!token)
        co_return refuse(token.error(), "", "too many access tokens");
    co_return ok_with("token created", *token);
}

asio::awaitable<HttpReply> delete_token(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        if (auto dropped = drop(call, db); !dropped)
            return dropped;
        store::audit(db, {store::actor_of(call.tenant, call.token), "token/delete",
                             "token " + lookup_of(call.token), call.request_id});
        return {};
    };
    const auto removed = co_await call.parts.store.write(remove);
    if (!removed)
        co_return refuse(removed.error(), "");
    co_return ok(R"({"msg":"token deleted"})");
}

asio::awaitable<HttpReply> refresh_token(Call& call)
{
    auto replace = [&](Transaction& db) -> Result<std::string> {
        if (auto dropped = drop(call, db); !dropped)
            return dropped.error();
        return issue(call, db, "refresh", "token/refresh");
    };
    const auto token = co_await call.parts.store.write(replace);
    if (!token)
        co_return refuse(token.error(), "", "too many access tokens");
    co_return ok_with("token refreshed", *token);
}

asio::awaitable<HttpReply> validate_token(Call&)
{
    // Or the call would not have come here.
    co_return ok(R"({"msg":"token is valid","isValid":true})");
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/token/create", Credential::access, false, create_token},
    {verb::delete_, "/api/v1/token/delete", Credential::access, false, delete_token},
    {verb::post, "/api/v1/token/refresh", Credential::access, false, refresh_token},
    {verb::post, "/api/v1/token/validate", Credential::access, false, validate_token},
};

}  // namespace

std::span<const Route> synthetic_token_routes()
{
    return routes;
}

}  // namespace sonde::control
