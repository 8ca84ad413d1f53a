#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/tenants.h"

#include <array>

namespace sonde::control {
namespace {

constexpr std::string_view invalid = "Invalid incoming settings";

/// Where the UI's home page turns from green to yellow and to red.
struct Threshold {
    std::string_view name;
    double upper = 0;
    double lower = 0;
};
using Thresholds = std::array<Threshold, 3>;
constexpr Thresholds default_thresholds{
    {{"uptime", 99.3, 94.6}, {"reachability", 99.3, 94.6}, {"latency", 200, 150}}};

std::string json_of(const Thresholds& thresholds)
{
    std::string out;
    for (const Threshold& each : thresholds)
        out += fmt::format(R"({}"{}":{{"upperLimit":{},"lowerLimit":{}}})", out.empty() ? "" : ",",
            each.name, each.upper, each.lower);
    return "{" + out + "}";
}

/// `name` of `body` over what there is; absent, it stays. @return Error "bad_value".
Result<> take_limit(std::string_view body, std::string_view name, double& into)
{
    const auto value = number_member(body, name);
    if (!value)
        return value.error();
    into = value->value_or(into);
    return {};
}

Result<> take_threshold(std::string_view all, Threshold& into)
{
    if (!raw_member(all, into.name))
        return {};
    const auto body = object_member(all, into.name);
    if (!body)
        return body.error();
    for (const auto& [name, limit] :
        {std::pair{"upperLimit", &into.upper}, {"lowerLimit", &into.lower}})
        if (auto taken = take_limit(*body, name, *limit); !taken)
            return error(taken.error().reason, "{}.{}", into.name, taken.error().message);
    return {};
}

Result<> take_thresholds(std::string_view all, Thresholds& into)
{
    for (Threshold& each : into)
        if (auto taken = take_threshold(all, each); !taken)
            return error(taken.error().reason, "thresholds.{}", taken.error().message);
    return {};
}

Result<Thresholds> stored_thresholds(Transaction& db, std::int64_t tenant)
{
    Thresholds thresholds = default_thresholds;
    const std::string stored = store::find_settings(db, tenant);
    if (!stored.empty())
        if (auto taken = take_thresholds(stored, thresholds); !taken)
            return taken.error();
    return thresholds;
}

asio::awaitable<HttpReply> get_settings(Call& call)
{
    auto find = [&](Transaction& db) { return stored_thresholds(db, call.tenant); };
    const auto thresholds = co_await call.parts.store.read(find);
    if (!thresholds)
        co_return refuse(thresholds.error(), invalid);
    co_return ok(fmt::format(
        R"({{"thresholds":{},"remote_validation_disabled":false}})", json_of(*thresholds)));
}

Result<> save(const Call& call, Transaction& db, std::string_view wanted)
{
    if (!store::tenant_exists(db, call.tenant))
        return store::tenant_gone();
    auto thresholds = stored_thresholds(db, call.tenant);
    if (!thresholds)
        return thresholds.error();
    if (auto taken = take_thresholds(wanted, *thresholds); !taken)
        return taken;
    store::save_settings(db, call.tenant, json_of(*thresholds));
    return {};
}

asio::awaitable<HttpReply> update_settings(Call& call)
{
    if (const auto object = is_object(call.body()); !object)
        co_return refuse(object.error(), invalid);
    const auto wanted = object_member(call.body(), "thresholds");
    if (!wanted)
        co_return refuse(wanted.error(), invalid);
    auto work = [&](Transaction& db) { return save(call, db, *wanted); };
    const auto saved = co_await call.parts.store.write(work);
    if (!saved)
        co_return refuse(saved.error(), invalid);
    co_return ok(R"({"msg":"settings updated"})");
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/tenant/settings", Credential::access, false, get_settings},
    {verb::post, "/api/v1/tenant/settings/update", Credential::access, true, update_settings},
};

}  // namespace

std::span<const Route> synthetic_settings_routes()
{
    return routes;
}

}  // namespace sonde::control
