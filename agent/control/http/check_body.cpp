#include "agent/control/http/check_body.h"

#include "agent/control/http/json_text.h"
#include "agent/control/rules/check_rules.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

#include <array>

namespace sonde::control {

using store::StoredCheck;

namespace {

constexpr std::array<std::string_view, 5> ignored_on_add = {
    "id", "tenantId", "created", "modified", "alerts"};
constexpr std::array<std::string_view, 3> ignored_on_update = {"created", "modified", "alerts"};

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

}  // namespace

std::string json_of(const StoredCheck& stored)
{
    std::string json = config::write_json(stored.check);
    return stored.folder_uid.empty()
               ? json
               : with_members(std::move(json), "\"folderUid\":" + quoted(stored.folder_uid));
}

Result<StoredCheck> read_new_check(std::string_view body)
{
    return read_check(body, {ignored_on_add, nullptr});
}

Result<StoredCheck> read_update(Transaction& db, std::int64_t tenant, std::string_view body)
{
    auto check = read_check(body, {ignored_on_update, nullptr});
    if (check || check.error().reason != "bad_value")
        return check;
    const auto id = integer_member(body, "id");
    const auto before = id ? store::find_check(db, tenant, id->value_or(0)) : std::nullopt;
    return before ? read_check(body, {ignored_on_update, &before->check}) : check;
}

CheckAdmission::CheckAdmission(const Call& call, Transaction& db)
    : call_{call}, db_{db}, judgement_{judgement_for(call, db)},
      probes_{store::usable_probes(db, call.tenant)}
{}

Result<> CheckAdmission::judge(StoredCheck& stored) const
{
    if (auto fits = rules::fit(stored.check, stored.folder_uid, judgement_); !fits)
        return fits;
    rules::normalise(stored.check);
    return probes_usable(stored.check);
}

/// Every probe listed is the tenant's or public, and can do what the check asks for
/// (spec 04 §6.5, §6.6).
Result<> CheckAdmission::probes_usable(const pb::Check& check) const
{
    for (const std::int64_t id : check.probes())
        if (!probes_.contains(id))
            return error("probes", "probes: {} not available", id);
    if (check.settings().http().secretmanagerenabled())
        for (const std::int64_t id : check.probes())
            if (!store::supports_secrets(db_, id))
                return error("probes", "probes: {} does not support secrets", id);
    return {};
}

Result<> CheckAdmission::has_room() const
{
    const auto tenant = store::find_tenant(db_, call_.tenant);
    const std::int64_t most = tenant ? tenant->limits().maxchecks() : 0;
    if (most > 0 && store::count_checks(db_, call_.tenant) >= most)
        return error("quota", "checks: limit of {} reached", most);
    return {};
}

Result<store::CheckUpdate> admit_update(
    const Call& call, Transaction& db, const CheckAdmission& admission, std::string_view body)
{
    auto after = read_update(db, call.tenant, body);
    if (!after)
        return after.error();
    const std::int64_t id = after->check.id();
    if (auto named = identifies(call, id, after->check.tenantid()); !named)
        return named.error();
    auto before = store::find_check(db, call.tenant, id);
    if (!before)
        return error("not_found", "check {} not found", id);
    if (auto fits = admission.judge(*after); !fits)
        return fits.error();
    return store::CheckUpdate{std::move(*before), std::move(*after)};
}

}  // namespace sonde::control
