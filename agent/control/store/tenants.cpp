#include "agent/control/store/tenants.h"

#include "agent/control/store/records.h"

#include <soci/soci.h>

namespace sonde::control::store {
namespace {

pb::RemoteInfo remote_of(const HostedInstance& instance, const std::string& password)
{
    pb::RemoteInfo remote;
    remote.set_name(instance.name);
    remote.set_url(instance.remote_url);
    remote.set_username(instance.remote_username);
    remote.set_password(password);
    return remote;
}

bool same(const pb::RemoteInfo& a, const pb::RemoteInfo& b)
{
    return a.SerializeAsString() == b.SerializeAsString();
}

/// Every probe that runs one of the tenant's checks, and the tenant's own.
void touch_probes_of(Transaction& db, std::int64_t tenant)
{
    std::int64_t probe = 0;
    soci::statement rows = (db.sql().prepare << "SELECT id FROM probes WHERE tenant_id = :t UNION "
                                                "SELECT probe_id FROM check_probes JOIN checks ON "
                                                "checks.id = check_id WHERE checks.tenant_id = :u",
        soci::use(tenant), soci::use(tenant), soci::into(probe));
    rows.execute();
    while (rows.fetch())
        db.touch(probe);
}

std::int64_t modified_us_of(Transaction& db, std::int64_t id)
{
    std::int64_t modified = 0;
    db.sql() << "SELECT modified_us FROM tenants WHERE id = :id", soci::use(id),
        soci::into(modified);
    return modified;
}

}  // namespace

bool tenant_exists(Transaction& db, std::int64_t id)
{
    std::int64_t found = 0;
    db.sql() << "SELECT id FROM tenants WHERE id = :id", soci::use(id), soci::into(found);
    return db.sql().got_data();
}

Error tenant_gone()
{
    return error("unauthorized", "the tenant was deleted");
}

std::optional<pb::Tenant> find_tenant(Transaction& db, std::int64_t id)
{
    std::string body;
    std::int64_t created = 0;
    std::int64_t modified = 0;
    if (id == operator_tenant)
        return std::nullopt;
    db.sql() << "SELECT body, created_us, modified_us FROM tenants WHERE id = :id", soci::use(id),
        soci::into(body), soci::into(created), soci::into(modified);
    if (!db.sql().got_data())
        return std::nullopt;
    pb::Tenant tenant;
    from_column(db, body, tenant);
    tenant.set_id(id);
    tenant.set_created(seconds(created));
    tenant.set_modified(seconds(modified));
    return tenant;
}

pb::Tenant install_tenant(Transaction& db, const Organization& organization, const Stack& stack,
    const HostedInstance& metrics, const HostedInstance& logs, const std::string& password)
{
    std::int64_t id = 0;
    db.sql() << "SELECT id FROM tenants WHERE stack_id = :stack", soci::use(stack.id),
        soci::into(id);
    const bool known = db.sql().got_data();
    pb::Tenant tenant = known ? *find_tenant(db, id) : pb::Tenant{};
    const pb::RemoteInfo new_metrics = remote_of(metrics, password);
    const pb::RemoteInfo new_logs = remote_of(logs, password);
    const std::string limits_before = tenant.limits().SerializeAsString();
    tenant.set_orgid(organization.id);
    tenant.set_stackid(stack.id);
    tenant.clear_limits();
    if (stack.limits)
        *tenant.mutable_limits() = stack.limits->limits;
    tenant.clear_costattributionlabels();
    for (const std::string& label : stack.cost_attribution_labels)
        tenant.add_costattributionlabels(label);
    const bool changed = !same(tenant.metricsremote(), new_metrics) ||
                         !same(tenant.eventsremote(), new_logs) ||
                         limits_before != tenant.limits().SerializeAsString();
    *tenant.mutable_metricsremote() = new_metrics;
    *tenant.mutable_eventsremote() = new_logs;
    if (known) {
        if (changed)
            save_tenant(db, tenant, true);
        return tenant;
    }
    const std::int64_t now = db.now_us();
    const std::string body = to_column(db, tenant);
    db.sql() << "INSERT INTO tenants (org_id, stack_id, status, body, created_us, modified_us) "
                "VALUES (:org, :stack, 0, :body, :now, :now2) RETURNING id",
        soci::use(organization.id), soci::use(stack.id), soci::use(body), soci::use(now),
        soci::use(now), soci::into(id);
    return *find_tenant(db, id);
}

void save_tenant(Transaction& db, pb::Tenant& tenant, bool probes_must_hear)
{
    const std::int64_t id = tenant.id();
    const std::int64_t modified = next_modified(db, modified_us_of(db, id));
    const std::string body = to_column(db, tenant);
    const int status = tenant.status();
    db.sql()
        << "UPDATE tenants SET status = :status, body = :body, modified_us = :now WHERE id = :id",
        soci::use(status), soci::use(body), soci::use(modified), soci::use(id);
    tenant.set_modified(seconds(modified));
    if (probes_must_hear)
        touch_probes_of(db, id);
}

Result<> delete_tenant(Transaction& db, std::int64_t id)
{
    std::int64_t checks = 0;
    std::int64_t probes = 0;
    db.sql() << "SELECT count(*) FROM checks WHERE tenant_id = :id", soci::use(id),
        soci::into(checks);
    db.sql() << "SELECT count(*) FROM probes WHERE tenant_id = :id", soci::use(id),
        soci::into(probes);
    if (checks + probes > 0)
        return error(
            "not_empty", "tenant {} still has {} checks and {} probes", id, checks, probes);
    db.sql() << "DELETE FROM tenants WHERE id = :id", soci::use(id);
    return {};
}

std::optional<std::int64_t> tenant_of_token(Transaction& db, std::string_view token)
{
    const std::string lookup = lookup_of(token);
    std::string stored(64, '0');  // compared with when there is none: the time tells nothing
    std::int64_t tenant = 0;
    db.sql() << "SELECT digest, tenant_id FROM tokens WHERE lookup = :lookup", soci::use(lookup),
        soci::into(stored), soci::into(tenant);
    const bool found = db.sql().got_data();
    const bool matches = equal(sha256_hex(token), stored);
    return found && matches ? std::optional{tenant} : std::nullopt;
}

Result<std::string> issue_token(
    Transaction& db, std::int64_t tenant, std::string_view origin, std::int64_t most)
{
    if (!tenant_exists(db, tenant))
        return tenant_gone();
    std::int64_t count = 0;
    db.sql() << "SELECT count(*) FROM tokens WHERE tenant_id = :id", soci::use(tenant),
        soci::into(count);
    if (count >= most)
        return error("quota", "tokens: limit of {} reached", most);
    const AccessToken token = new_access_token();
    const std::string digest = sha256_hex(token.text);
    const std::string from{origin};
    const std::int64_t now = db.now_us();
    db.sql() << "INSERT INTO tokens (lookup, digest, tenant_id, origin, created_us, used_us) "
                "VALUES (:lookup, :digest, :tenant, :origin, :now, :now2)",
        soci::use(token.lookup), soci::use(digest), soci::use(tenant), soci::use(from),
        soci::use(now), soci::use(now);
    return token.text;
}

bool delete_token(Transaction& db, std::string_view token)
{
    if (!tenant_of_token(db, token))
        return false;
    const std::string lookup = lookup_of(token);
    db.sql() << "DELETE FROM tokens WHERE lookup = :lookup", soci::use(lookup);
    return true;
}

}  // namespace sonde::control::store
