#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/tenant_rules.h"
#include "agent/control/store/audit.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

namespace sonde::control {
namespace {

constexpr std::string_view invalid = "Invalid incoming tenant";

Error gone(std::int64_t id)
{
    return error("not_found", "tenant {} not found", id);
}

asio::awaitable<HttpReply> get_tenant(Call& call)
{
    auto find = [&](Transaction& db) -> Result<pb::Tenant> {
        auto tenant = store::find_tenant(db, call.tenant);
        if (!tenant)
            return gone(call.tenant);
        return *tenant;
    };
    const auto tenant = co_await call.parts.store.read(find);
    if (!tenant)
        co_return refuse(tenant.error(), invalid);
    co_return ok(*tenant);
}

/// A remote of the body over the stored one: a masked password keeps what is stored (spec 04 §2.4).
/// @return whether it has changed.
Result<bool> take_remote(std::string_view body, std::string_view member, pb::RemoteInfo& stored)
{
    const auto raw = raw_member(body, member);
    if (!raw)
        return false;
    if (!raw->starts_with('{'))
        return error("bad_value", "{}: is not an object", member);
    pb::RemoteInfo given;
    if (auto read = config::read_json(*raw, given); !read)
        return error("bad_value", "{}.{}", member, read.error().message);
    const bool masked = given.password() == "<encrypted>" || given.password() == "<redacted>";
    if (masked && stored.password().empty())
        return rules::invalid(fmt::format("{}.password", member), "no stored password to keep");
    if (masked || !raw_member(*raw, "password"))
        given.set_password(stored.password());
    if (auto fits = rules::fit_remote(member, given); !fits)
        return fits.error();
    const bool changed = given.SerializeAsString() != stored.SerializeAsString();
    stored = given;
    return changed;
}

/// Status and reason, in the form of the contract or in that of the Go client (spec 04 §3.19).
Result<> take_status(std::string_view body, pb::Tenant& tenant)
{
    const auto raw = raw_member(body, "status");
    if (!raw)
        return {};
    const bool object = raw->starts_with('{');
    const auto code =
        integer_member(object ? std::string_view{*raw} : body, object ? "code" : "status");
    const auto reason = text_member(object ? std::string_view{*raw} : body, "reason");
    if (!code || !reason)
        return !code ? code.error() : reason.error();
    if (object && (!*code || !*reason))
        return error("bad_value", "status: code and reason are both required");
    if (**code != 0 && **code != 1)
        return rules::invalid("status.code", "must be 0 or 1");
    if (reason->value_or("").size() > 1024)
        return rules::invalid("status.reason", "must be at most 1024 bytes");
    tenant.set_status(static_cast<pb::TenantStatus>(**code));
    tenant.set_reason(reason->value_or(""));
    return {};
}

void note(const Call& call, Transaction& db, std::string_view action)
{
    store::audit(db, {store::actor_of(call.tenant, call.token), std::string{action},
                         fmt::format("tenant {}", call.tenant), call.request_id});
}

Result<> take_remotes(std::string_view body, pb::Tenant& tenant)
{
    pb::RemoteInfo metrics = tenant.metricsremote();
    pb::RemoteInfo events = tenant.eventsremote();
    const auto metrics_changed = take_remote(body, "metricsRemote", metrics);
    if (!metrics_changed)
        return metrics_changed.error();
    const auto events_changed = take_remote(body, "eventsRemote", events);
    if (!events_changed)
        return events_changed.error();
    if (*metrics_changed)
        *tenant.mutable_metricsremote() = metrics;
    if (*events_changed)
        *tenant.mutable_eventsremote() = events;
    return {};
}

Result<pb::Tenant> update(const Call& call, Transaction& db)
{
    const auto id = integer_member(call.body(), "id");
    if (!id)
        return id.error();
    if (id->value_or(0) != call.tenant)
        return rules::invalid("id", "is required and must be the tenant of the token");
    auto tenant = store::find_tenant(db, call.tenant);
    if (!tenant)
        return store::tenant_gone();
    if (auto taken = take_remotes(call.body(), *tenant); !taken)
        return taken.error();
    if (auto taken = take_status(call.body(), *tenant); !taken)
        return taken.error();
    store::save_tenant(db, *tenant);
    note(call, db, "tenant/update");
    return *tenant;
}

asio::awaitable<HttpReply> update_tenant(Call& call)
{
    if (const auto object = is_object(call.body()); !object)
        co_return refuse(object.error(), invalid);
    auto save = [&](Transaction& db) { return update(call, db); };
    const auto saved = co_await call.parts.store.write(save);
    if (!saved)
        co_return refuse(saved.error(), invalid);
    const std::string json = config::write_json(*saved);
    co_return ok(with_members(json, fmt::format(R"("msg":"tenant updated","tenant":{})", json)));
}

asio::awaitable<HttpReply> delete_tenant(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        if (call.id != call.tenant)
            return gone(call.id);
        if (auto removed = store::delete_tenant(db, call.id); !removed)
            return removed;
        note(call, db, "tenant/delete");
        return {};
    };
    const auto removed = co_await call.parts.store.write(remove);
    if (!removed)
        co_return refuse(removed.error(), invalid);
    co_return ok(fmt::format(R"({{"msg":"tenant deleted","tenantId":{}}})", call.id));
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/tenant", Credential::access, false, get_tenant},
    {verb::post, "/api/v1/tenant/update", Credential::access, true, update_tenant},
    {verb::delete_, "/api/v1/tenant/delete/{id}", Credential::access, false, delete_tenant},
};

}  // namespace

std::span<const Route> synthetic_tenant_routes()
{
    return routes;
}

}  // namespace sonde::control
