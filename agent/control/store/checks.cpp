#include "agent/control/store/checks.h"

#include "agent/control/store/records.h"
#include "agent/control/store/statement.h"
#include "agent/control/store/tenants.h"

#include <algorithm>
#include <utility>

namespace sonde::control::store {
namespace {

struct Row {
    std::int64_t id = 0;
    std::int64_t tenant = 0;
    std::string folder_uid;
    std::string body;
    std::int64_t created = 0;
    std::int64_t modified = 0;
};

constexpr auto columns = "SELECT checks.id, checks.tenant_id, folder_uid, checks.body, "
                         "checks.created_us, checks.modified_us FROM checks ";

/// @param take what is done with each; it may take it away.
template <class Take, class... Uses>
void select(Transaction& db, const std::string& where, const Take& take, const Uses&... uses)
{
    Row row;
    StoredCheck stored;
    auto rows = executed(db, columns + where, soci::use(uses)..., soci::into(row.id),
        soci::into(row.tenant), soci::into(row.folder_uid), soci::into(row.body),
        soci::into(row.created), soci::into(row.modified));
    while (rows.fetch()) {
        from_column(db, row.body, stored.check);
        stored.check.set_id(row.id);
        stored.check.set_tenantid(row.tenant);
        stored.check.set_created(seconds(row.created));
        stored.check.set_modified(seconds(row.modified));
        stored.folder_uid = row.folder_uid;
        stored.modified_us = row.modified;
        take(stored);
    }
}

template <class... Uses>
std::optional<StoredCheck> select_one(
    Transaction& db, const std::string& where, const Uses&... uses)
{
    std::optional<StoredCheck> found;
    select(db, where, [&](StoredCheck& stored) { found = std::move(stored); }, uses...);
    return found;
}

bool taken(Transaction& db, std::int64_t tenant, const std::string& identity, std::int64_t except)
{
    int count = 0;
    db.sql() << "SELECT count(*) FROM checks WHERE tenant_id = :tenant AND identity = :identity "
                "AND id <> :id",
        soci::use(tenant), soci::use(identity), soci::use(except), soci::into(count);
    return count > 0;
}

void set_probes(Transaction& db, const pb::Check& check, std::int64_t id)
{
    db.sql() << "DELETE FROM check_probes WHERE check_id = :id", soci::use(id);
    for (const std::int64_t probe : check.probes()) {
        db.sql() << "INSERT INTO check_probes (check_id, probe_id) VALUES (:check, :probe)",
            soci::use(id), soci::use(probe);
        db.touch(probe);
    }
}

Error pair_taken()
{
    return error("taken", "target/job combination already exists");
}

Error not_found(std::int64_t id)
{
    return error("not_found", "check {} not found", id);
}

}  // namespace

std::string identity_of(std::string_view job, std::string_view target)
{
    return sha256_hex(std::string{job} + '\0' + std::string{target});
}

std::optional<StoredCheck> find_check(Transaction& db, std::int64_t tenant, std::int64_t id)
{
    return select_one(db, "WHERE id = :id AND tenant_id = :tenant", id, tenant);
}

std::optional<StoredCheck> find_check(
    Transaction& db, std::int64_t tenant, std::string_view job, std::string_view target)
{
    const std::string identity = identity_of(job, target);
    return select_one(db, "WHERE identity = :identity AND tenant_id = :tenant", identity, tenant);
}

void each_check(
    Transaction& db, std::int64_t tenant, const std::function<void(const StoredCheck&)>& take)
{
    select(db, "WHERE tenant_id = :tenant ORDER BY id", take, tenant);
}

Result<> pair_is_free(Transaction& db, std::int64_t tenant, const pb::Check& check)
{
    if (taken(db, tenant, identity_of(check.job(), check.target()), check.id()))
        return pair_taken();
    return {};
}

Result<StoredCheck> add_check(Transaction& db, std::int64_t tenant, StoredCheck check)
{
    const std::string job = check.check.job();
    const std::string target = check.check.target();
    const std::string identity = identity_of(job, target);
    if (!tenant_exists(db, tenant))
        return tenant_gone();
    if (taken(db, tenant, identity, 0))
        return pair_taken();
    check.check.clear_id();
    check.check.set_tenantid(tenant);
    const std::string body = to_column(db, check.check);
    const int enabled = check.check.enabled() ? 1 : 0;
    const std::int64_t now = db.now_us();
    std::int64_t id = 0;
    db.sql() << "INSERT INTO checks (tenant_id, job, target, identity, enabled, folder_uid, body, "
                "created_us, modified_us) VALUES (:tenant, :job, :target, :identity, :enabled, "
                ":folder, :body, :now, :now2) RETURNING id",
        soci::use(tenant), soci::use(job), soci::use(target), soci::use(identity),
        soci::use(enabled), soci::use(check.folder_uid), soci::use(body), soci::use(now),
        soci::use(now), soci::into(id);
    set_probes(db, check.check, id);
    return *find_check(db, tenant, id);
}

Result<StoredCheck> update_check(Transaction& db, CheckUpdate update)
{
    const pb::Check& before = update.before.check;
    StoredCheck after = std::move(update.after);
    const std::int64_t id = before.id();
    const std::string job = after.check.job();
    const std::string target = after.check.target();
    const std::string identity = identity_of(job, target);
    if (taken(db, before.tenantid(), identity, id))
        return pair_taken();
    for (const std::int64_t probe : before.probes())
        db.touch(probe);  // those that are no longer listed must hear of it, too
    if (!after.check.has_channels() && before.has_channels())
        *after.check.mutable_channels() = before.channels();
    after.modified_us = next_modified(db, update.before.modified_us);
    after.check.set_id(id);
    after.check.set_tenantid(before.tenantid());
    after.check.set_created(before.created());
    after.check.set_modified(seconds(after.modified_us));
    const std::string body = to_column(db, after.check);
    const int enabled = after.check.enabled() ? 1 : 0;
    db.sql() << "UPDATE checks SET job = :job, target = :target, identity = :identity, enabled = "
                ":enabled, folder_uid = :folder, body = :body, modified_us = :now WHERE id = :id",
        soci::use(job), soci::use(target), soci::use(identity), soci::use(enabled),
        soci::use(after.folder_uid), soci::use(body), soci::use(after.modified_us), soci::use(id);
    set_probes(db, after.check, id);
    return after;
}

Result<> update_checks(Transaction& db, std::vector<CheckUpdate> updates)
{
    // Keys are judged row by row. So that two checks can change places, all leave theirs first.
    for (const CheckUpdate& each : updates) {
        const std::int64_t id = each.before.check.id();
        const std::string passing = std::to_string(id);
        db.sql() << "UPDATE checks SET identity = :identity WHERE id = :id", soci::use(passing),
            soci::use(id);
    }
    for (CheckUpdate& each : updates)
        if (auto updated = update_check(db, std::move(each)); !updated)
            return updated.error();
    return {};
}

Result<> delete_check(Transaction& db, std::int64_t tenant, std::int64_t id)
{
    const auto known = find_check(db, tenant, id);
    if (!known)
        return not_found(id);
    for (const std::int64_t probe : known->check.probes())
        db.touch(probe);
    db.sql() << "DELETE FROM checks WHERE id = :id", soci::use(id);
    return {};
}

std::int64_t count_checks(Transaction& db, std::int64_t tenant)
{
    std::int64_t count = 0;
    db.sql() << "SELECT count(*) FROM checks WHERE tenant_id = :tenant", soci::use(tenant),
        soci::into(count);
    return count;
}

ToRun checks_to_run(Transaction& db, std::int64_t probe)
{
    ToRun out;
    const auto take = [&](StoredCheck& stored) {
        const std::int64_t tenant = stored.check.tenantid();
        if (!out.tenants.contains(tenant))
            out.tenants.emplace(tenant, find_tenant(db, tenant).value_or(pb::Tenant{}));
        const pb::Tenant& of = out.tenants.at(tenant);
        if (of.has_metricsremote() &&
            of.has_eventsremote())  // without one an agent could not publish
            out.checks.push_back(std::move(stored.check));
    };
    select(db,
        "JOIN check_probes ON check_id = checks.id JOIN tenants ON tenants.id = checks.tenant_id "
        "WHERE probe_id = :probe AND checks.enabled = 1 AND tenants.status = 0 ORDER BY checks.id",
        take, probe);
    std::erase_if(out.tenants, [](const auto& entry) {
        return !entry.second.has_metricsremote() || !entry.second.has_eventsremote();
    });
    return out;
}

}  // namespace sonde::control::store
