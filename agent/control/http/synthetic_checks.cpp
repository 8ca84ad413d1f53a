#include "agent/control/http/json_text.h"
#include "agent/control/http/judgement_for.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/check_rules.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

#include <array>
#include <set>

namespace sonde::control {
namespace {

using store::StoredCheck;

constexpr std::string_view invalid = "Invalid incoming check";
constexpr std::array<std::string_view, 5> ignored_on_add = {
    "id", "tenantId", "created", "modified", "alerts"};
constexpr std::array<std::string_view, 3> ignored_on_update = {"created", "modified", "alerts"};

std::string json_of(const StoredCheck& stored)
{
    std::string json = config::write_json(stored.check);
    return stored.folder_uid.empty()
               ? json
               : with_members(std::move(json), "\"folderUid\":" + quoted(stored.folder_uid));
}

Result<StoredCheck> read_check(std::string_view body, config::ReadRules rules)
{
    auto check = config::from_json<pb::Check>(body, rules);
    if (!check)
        return check.error();
    auto folder = text_member(body, "folderUid");
    if (!folder)
        return folder.error();
    return StoredCheck{std::move(*check), folder->value_or("")};
}

/// Every probe listed is the tenant's or public, and can do what the check asks for
/// (spec 04 §6.5, §6.6).
Result<> probes_usable(Transaction& db, std::int64_t tenant, const pb::Check& check)
{
    std::set<std::int64_t> known;
    for (const pb::Probe& probe : store::list_probes(db, tenant))
        known.insert(probe.id());
    for (const std::int64_t id : check.probes())
        if (!known.contains(id))
            return error("probes", "probes: {} not available", id);
    if (check.settings().http().secretmanagerenabled())
        for (const std::int64_t id : check.probes())
            if (!store::supports_secrets(db, id))
                return error("probes", "probes: {} does not support secrets", id);
    return {};
}

Result<> judge(const Call& call, Transaction& db, StoredCheck& stored)
{
    if (auto fits = rules::fit(stored.check, stored.folder_uid, judgement_for(call, db)); !fits)
        return fits;
    rules::normalise(stored.check);
    return probes_usable(db, call.tenant, stored.check);
}

Result<> within_quota(Transaction& db, std::int64_t tenant)
{
    const auto of = store::find_tenant(db, tenant);
    const std::int64_t most = of ? of->limits().maxchecks() : 0;
    if (most > 0 && store::count_checks(db, tenant) >= most)
        return error("quota", "checks: limit of {} reached", most);
    return {};
}

asio::awaitable<HttpReply> add_check(Call& call)
{
    auto check = read_check(call.body(), {ignored_on_add, nullptr});
    if (!check)
        co_return refuse(check.error(), invalid);
    auto add = [&](Transaction& db) -> Result<StoredCheck> {
        if (auto fits = judge(call, db, *check); !fits)
            return fits.error();
        if (auto room = within_quota(db, call.tenant); !room)
            return room.error();
        return store::add_check(db, call.tenant, *check);
    };
    const auto saved = co_await call.parts.store.write(add);
    if (!saved)
        co_return refuse(saved.error(), invalid, "Failed to add check to database");
    co_return ok(json_of(*saved));
}

asio::awaitable<HttpReply> update_check(Call& call)
{
    const auto preview = read_check(call.body(), {ignored_on_update, nullptr});
    auto update = [&](Transaction& db) -> Result<StoredCheck> {
        // Syntax and types first; of two spellings that differ the stored one decides below.
        const auto id = integer_member(call.body(), "id");
        const auto tenant = integer_member(call.body(), "tenantId");
        if (!id || !tenant || !preview) {
            const bool spelling = !preview && preview.error().reason == "bad_value" && id && tenant;
            if (!spelling)
                return !preview ? preview.error() : !id ? id.error() : tenant.error();
        }
        if (auto named = identifies(call, id->value_or(0), tenant->value_or(0)); !named)
            return preview ? named.error() : preview.error();
        const auto before = store::find_check(db, call.tenant, **id);
        if (!before)
            return error("not_found", "check {} not found", **id);
        auto check = read_check(call.body(), {ignored_on_update, &before->check});
        if (!check)
            return check.error();
        if (auto fits = judge(call, db, *check); !fits)
            return fits.error();
        return store::update_check(db, call.tenant, *check);
    };
    const auto saved = co_await call.parts.store.write(update);
    if (!saved)
        co_return refuse(saved.error(), invalid, "cannot update database");
    co_return ok(json_of(*saved));
}

asio::awaitable<HttpReply> delete_check(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        return store::delete_check(db, call.tenant, call.id);
    };
    const auto removed = co_await call.parts.store.write(remove);
    if (!removed)
        co_return refuse(removed.error(), invalid);
    co_return ok(fmt::format(R"({{"msg":"check deleted","checkId":{}}})", call.id));
}

asio::awaitable<HttpReply> list_checks(Call& call)
{
    auto list = [&](Transaction& db) -> Result<std::vector<StoredCheck>> {
        return store::list_checks(db, call.tenant);
    };
    const auto checks = co_await call.parts.store.read(list);
    if (!checks)
        co_return refuse(checks.error(), invalid);
    std::string out = "[";
    for (const StoredCheck& check : *checks)
        out.append(out.size() > 1 ? "," : "").append(json_of(check));
    co_return ok(out + "]");
}

asio::awaitable<HttpReply> get_check(Call& call)
{
    auto find = [&](Transaction& db) -> Result<StoredCheck> {
        auto found = store::find_check(db, call.tenant, call.id);
        if (!found)
            return error("not_found", "check {} not found", call.id);
        return *found;
    };
    const auto check = co_await call.parts.store.read(find);
    if (!check)
        co_return refuse(check.error(), invalid);
    co_return ok(json_of(*check));
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/check/add", Credential::access, true, add_check},
    {verb::post, "/api/v1/check/update", Credential::access, true, update_check},
    {verb::delete_, "/api/v1/check/delete/{id}", Credential::access, false, delete_check},
    {verb::get, "/api/v1/check/list", Credential::access, false, list_checks},
    {verb::get, "/api/v1/check/{id}", Credential::access, false, get_check},
};

}  // namespace

std::span<const Route> synthetic_check_routes()
{
    return routes;
}

}  // namespace sonde::control
