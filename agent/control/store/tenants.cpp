#include "agent/control/store/tenants.h"

#include "agent/control/store/records.h"
#include "agent/control/store/statement.h"

#include <soci/boost-optional.h>

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

/// Every probe that runs one of the tenant's checks, and the tenant's own.
void touch_probes_of(Transaction& db, std::int64_t tenant, ChangeKind kind)
{
    std::int64_t probe = 0;
    auto rows = executed(db,
        "SELECT id FROM probes WHERE tenant_id = :t UNION "
        "SELECT probe_id FROM check_probes JOIN checks ON "
        "checks.id = check_id WHERE checks.tenant_id = :u",
        soci::use(tenant), soci::use(tenant), soci::into(probe));
    while (rows.fetch())
        db.touch(probe, kind);
}

bool runs_checks(const pb::Tenant& tenant)
{
    return tenant.status() == pb::TenantStatus{} && tenant.has_metricsremote() &&
           tenant.has_eventsremote();
}

/// What agents are told of a tenant.
std::string record_of(pb::Tenant tenant)
{
    tenant.clear_status();
    tenant.clear_reason();
    tenant.clear_created();
    tenant.clear_modified();
    return tenant.SerializeAsString();
}

/// What the directory says of a tenant: limits, labels for costs, secret store.
void take(pb::Tenant& tenant, const std::optional<TenantLimits>& limits, const Stack* stack)
{
    tenant.clear_limits();
    tenant.clear_costattributionlabels();
    tenant.clear_secretstore();
    if (limits)
        *tenant.mutable_limits() = limits->limits;
    if (!stack)
        return;
    for (const std::string& label : stack->cost_attribution_labels)
        tenant.add_costattributionlabels(label);
    if (stack->secret_store)
        *tenant.mutable_secretstore() = *stack->secret_store;
}

std::int64_t insert(Transaction& db, const pb::Tenant& tenant)
{
    const std::int64_t now = db.now_us();
    const std::string body = to_column(db, tenant);
    const std::int64_t organization = tenant.orgid();
    const std::int64_t stack = tenant.stackid();
    soci::indicator has_stack = stack == 0 ? soci::i_null : soci::i_ok;
    std::int64_t id = 0;
    db.sql() << "INSERT INTO tenants (org_id, stack_id, status, body, created_us, modified_us) "
                "VALUES (:org, :stack, 0, :body, :now, :now2) RETURNING id",
        soci::use(organization), soci::use(stack, has_stack), soci::use(body), soci::use(now),
        soci::use(now), soci::into(id);
    return id;
}

std::optional<std::int64_t> tenant_of_stack(Transaction& db, std::int64_t stack)
{
    std::int64_t id = 0;
    db.sql() << "SELECT id FROM tenants WHERE stack_id = :stack", soci::use(stack), soci::into(id);
    return db.sql().got_data() ? std::optional{id} : std::nullopt;
}

void note_instances(Transaction& db, std::int64_t tenant, std::int64_t metrics, std::int64_t logs)
{
    db.sql() << "UPDATE tenants SET metrics_instance = :metrics, logs_instance = :logs "
                "WHERE id = :id",
        soci::use(metrics), soci::use(logs), soci::use(tenant);
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
    auto rows = executed(db, "SELECT body, created_us, modified_us FROM tenants WHERE id = :id",
        soci::use(id), soci::into(body), soci::into(created), soci::into(modified));
    if (!rows.fetch())
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
    const auto known = tenant_of_stack(db, stack.id);
    pb::Tenant tenant = known ? *find_tenant(db, *known) : pb::Tenant{};
    const std::string before = tenant.SerializeAsString();
    tenant.set_orgid(organization.id);
    tenant.set_stackid(stack.id);
    take(tenant, stack.limits, &stack);
    *tenant.mutable_metricsremote() = remote_of(metrics, password);
    *tenant.mutable_eventsremote() = remote_of(logs, password);
    const std::int64_t id = known ? *known : insert(db, tenant);
    note_instances(db, id, metrics.id, logs.id);
    if (!known)
        return *find_tenant(db, id);
    if (before != tenant.SerializeAsString())
        save_tenant(db, tenant);
    return tenant;
}

std::vector<Registered> tenants_of(Transaction& db, std::int64_t organization)
{
    std::vector<Registered> found;
    std::int64_t id = 0;
    boost::optional<std::int64_t> metrics;
    boost::optional<std::int64_t> logs;
    auto rows = executed(db,
        "SELECT id, metrics_instance, logs_instance FROM tenants WHERE org_id "
        "= :org AND id <> :operator ORDER BY id",
        soci::use(organization), soci::use(operator_tenant), soci::into(id), soci::into(metrics),
        soci::into(logs));
    const auto optional = [](const boost::optional<std::int64_t>& value) {
        return value ? std::optional{*value} : std::nullopt;
    };
    while (rows.fetch())
        found.push_back({id, optional(metrics), optional(logs)});
    return found;
}

std::int64_t add_tenant(Transaction& db, const Directory& directory, std::int64_t organization)
{
    pb::Tenant tenant;
    tenant.set_orgid(organization);
    take(tenant, directory.default_limits(), nullptr);
    return insert(db, tenant);
}

void select_instances(Transaction& db, pb::Tenant& tenant, const Stack* stack,
    const HostedInstance& metrics, const HostedInstance& logs, const std::string& password)
{
    const std::int64_t id = tenant.id();
    const auto owner = stack ? tenant_of_stack(db, stack->id) : std::nullopt;
    const std::string before = tenant.SerializeAsString();
    if (stack && owner.value_or(id) == id) {
        tenant.set_stackid(stack->id);
        take(tenant, stack->limits, stack);
        db.sql() << "UPDATE tenants SET stack_id = :stack WHERE id = :id", soci::use(stack->id),
            soci::use(id);
    }
    *tenant.mutable_metricsremote() = remote_of(metrics, password);
    *tenant.mutable_eventsremote() = remote_of(logs, password);
    note_instances(db, id, metrics.id, logs.id);
    if (before != tenant.SerializeAsString())
        save_tenant(db, tenant);
}

void apply_directory(Transaction& db, const Directory& directory)
{
    std::vector<std::int64_t> ids;
    std::int64_t id = 0;
    auto rows = executed(db, "SELECT id FROM tenants WHERE id <> :operator",
        soci::use(operator_tenant), soci::into(id));
    while (rows.fetch())
        ids.push_back(id);
    for (const std::int64_t each : ids) {
        pb::Tenant tenant = *find_tenant(db, each);
        const Stack* stack = directory.stack(tenant.orgid(), tenant.stackid());
        if (tenant.stackid() != 0 && !stack)
            continue;
        const std::string before = tenant.SerializeAsString();
        take(tenant, stack ? stack->limits : directory.default_limits(), stack);
        if (before != tenant.SerializeAsString())
            save_tenant(db, tenant);
    }
}

void save_tenant(Transaction& db, pb::Tenant& tenant)
{
    const std::int64_t id = tenant.id();
    const pb::Tenant before = find_tenant(db, id).value_or(pb::Tenant{});
    const std::int64_t modified = next_modified(db, modified_us_of(db, id));
    const std::string body = to_column(db, tenant);
    const int status = tenant.status();
    const std::int64_t organization = tenant.orgid();  // a stack may move to another one
    db.sql()
        << "UPDATE tenants SET org_id = :org, status = :status, body = :body, modified_us = :now "
           "WHERE id = :id",
        soci::use(organization), soci::use(status), soci::use(body), soci::use(modified),
        soci::use(id);
    tenant.set_modified(seconds(modified));
    if (runs_checks(before) != runs_checks(tenant))
        touch_probes_of(db, id, ChangeKind::tenant_status);
    if (record_of(before) != record_of(tenant))
        touch_probes_of(db, id, ChangeKind::tenant_config);
}

std::string find_settings(Transaction& db, std::int64_t tenant)
{
    std::string settings;
    db.sql() << "SELECT settings FROM tenants WHERE id = :id", soci::use(tenant),
        soci::into(settings);
    return settings;
}

void save_settings(Transaction& db, std::int64_t tenant, const std::string& settings)
{
    db.sql() << "UPDATE tenants SET settings = :settings WHERE id = :id", soci::use(settings),
        soci::use(tenant);
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

void note_used(Transaction& db, const std::set<std::string>& lookups)
{
    constexpr std::int64_t minute_us = 60'000'000;
    const std::int64_t now = db.now_us();
    const std::int64_t noted = now - minute_us;
    // By id, as all replicas do: of two that note the same tokens none waits for the other in a
    // circle.
    for (const std::string& lookup : lookups)
        db.sql() << "UPDATE tokens SET used_us = :now WHERE lookup = :lookup AND used_us <= :noted",
            soci::use(now), soci::use(lookup), soci::use(noted);
}

}  // namespace sonde::control::store
