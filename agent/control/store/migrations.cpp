#include "agent/control/store/migrations.h"

#include "agent/control/store/checks.h"
#include "agent/control/store/connection.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::control {
namespace {

/// A statement, or what statements cannot do. {id} stands for Dialect::id_column().
struct Step {
    std::string_view statement;
    void (*fill)(soci::session&) = nullptr;
};

// Messages lie sealed in `body`; a column of its own has what statements look for. Times are whole
// microseconds since the epoch.
constexpr Step first[] = {
    {R"(CREATE TABLE tenants (
        id {id},
        org_id BIGINT NOT NULL,
        stack_id BIGINT UNIQUE,
        status INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL,
        created_us BIGINT NOT NULL,
        modified_us BIGINT NOT NULL))"},
    // The operator, number 1: owns public probes, has no tokens. Tenants that register follow.
    {R"(INSERT INTO tenants (org_id, body, created_us, modified_us) VALUES (0, '', 0, 0))"},
    {R"(CREATE TABLE tokens (
        lookup TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        tenant_id BIGINT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        origin TEXT NOT NULL,
        created_us BIGINT NOT NULL,
        used_us BIGINT NOT NULL))"},
    {R"(CREATE TABLE probes (
        id {id},
        tenant_id BIGINT NOT NULL REFERENCES tenants (id),
        name TEXT NOT NULL,
        public INTEGER NOT NULL DEFAULT 0,
        key TEXT UNIQUE,
        token_digest TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        online INTEGER NOT NULL DEFAULT 0,
        online_change_us BIGINT NOT NULL,
        version TEXT NOT NULL DEFAULT '',
        build_commit TEXT NOT NULL DEFAULT '',
        buildstamp TEXT NOT NULL DEFAULT '',
        meta_version BIGINT NOT NULL DEFAULT 1,
        delivered_meta_version BIGINT NOT NULL DEFAULT 1,
        lease_session BIGINT NOT NULL DEFAULT 0,
        lease_until_us BIGINT NOT NULL DEFAULT 0,
        created_us BIGINT NOT NULL,
        modified_us BIGINT NOT NULL))"},
    {R"(CREATE TABLE checks (
        id {id},
        tenant_id BIGINT NOT NULL REFERENCES tenants (id),
        job TEXT NOT NULL,
        target TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        folder_uid TEXT NOT NULL DEFAULT '',
        body TEXT NOT NULL,
        created_us BIGINT NOT NULL,
        modified_us BIGINT NOT NULL))"},
    {R"(CREATE TABLE check_probes (
        check_id BIGINT NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
        probe_id BIGINT NOT NULL REFERENCES probes (id),
        PRIMARY KEY (check_id, probe_id)))"},
    {R"(CREATE INDEX check_probes_by_probe ON check_probes (probe_id))"},
    {R"(CREATE INDEX probes_by_tenant ON probes (tenant_id))"},
    {R"(CREATE INDEX tokens_by_tenant ON tokens (tenant_id))"},
};

void fill_identities(soci::session& sql)
{
    struct Row {
        std::int64_t id = 0;
        std::string job;
        std::string target;
    };
    Row row;
    std::vector<Row> all;
    soci::statement rows = (sql.prepare << "SELECT id, job, target FROM checks", soci::into(row.id),
        soci::into(row.job), soci::into(row.target));
    rows.execute();
    while (rows.fetch())
        all.push_back(row);
    for (const Row& each : all) {
        const std::string identity = store::identity_of(each.job, each.target);
        sql << "UPDATE checks SET identity = :identity WHERE id = :id", soci::use(identity),
            soci::use(each.id);
    }
}

// A hash stands for job and target: together they can be longer than what PostgreSQL indexes.
constexpr Step second[] = {
    {"ALTER TABLE checks ADD COLUMN identity TEXT NOT NULL DEFAULT ''"},
    {"", fill_identities},
    {"CREATE UNIQUE INDEX checks_by_identity ON checks (tenant_id, identity)"},
    {"ALTER TABLE probes ADD COLUMN lease_owner TEXT NOT NULL DEFAULT ''"},
    {"ALTER TABLE probes ADD COLUMN lease_since_us BIGINT NOT NULL DEFAULT 0"},
    {"ALTER TABLE probes ADD COLUMN lease_meta_version BIGINT NOT NULL DEFAULT 0"},
    {"ALTER TABLE probes ADD COLUMN protocol_secrets INTEGER NOT NULL DEFAULT 0"},
    {R"(CREATE TABLE change_log (
        version BIGINT PRIMARY KEY,
        probe_id BIGINT NOT NULL,
        created_us BIGINT NOT NULL))"},
    {"CREATE INDEX change_log_by_probe ON change_log (probe_id, version)"},
    {R"(CREATE TABLE change_counter (
        id INTEGER PRIMARY KEY,
        value BIGINT NOT NULL,
        pruned BIGINT NOT NULL))"},
    {"INSERT INTO change_counter (id, value, pruned) VALUES (1, 0, 0)"},
};

// Sums stay when their tenant or probe goes: somebody may still have to pay for them. What an agent
// has said so far is kept apart, by agent: its figures only grow, and the difference is what is
// new.
constexpr Step third[] = {
    {"ALTER TABLE change_log ADD COLUMN kind INTEGER NOT NULL DEFAULT 0"},
    {"ALTER TABLE probes ADD COLUMN k6_versions TEXT NOT NULL DEFAULT ''"},
    {R"(CREATE TABLE adhoc (
        id TEXT NOT NULL,
        probe_id BIGINT NOT NULL REFERENCES probes (id) ON DELETE CASCADE,
        tenant_id BIGINT NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        body TEXT NOT NULL,
        created_us BIGINT NOT NULL,
        PRIMARY KEY (id, probe_id)))"},
    {"CREATE INDEX adhoc_by_probe ON adhoc (probe_id)"},
    {R"(CREATE TABLE audit (
        id {id},
        at_us BIGINT NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        entity TEXT NOT NULL,
        request_id TEXT NOT NULL))"},
    {R"(CREATE TABLE telemetry (
        month TEXT NOT NULL,
        tenant_id BIGINT NOT NULL,
        probe_id BIGINT NOT NULL,
        region_id INTEGER NOT NULL,
        class TEXT NOT NULL,
        labels_digest TEXT NOT NULL,
        labels TEXT NOT NULL,
        executions BIGINT NOT NULL,
        duration_s DOUBLE PRECISION NOT NULL,
        sampled_executions BIGINT NOT NULL,
        PRIMARY KEY (month, tenant_id, probe_id, region_id, class, labels_digest)))"},
    {R"(CREATE TABLE telemetry_said (
        probe_id BIGINT NOT NULL,
        instance TEXT NOT NULL,
        region_id INTEGER NOT NULL,
        tenant_id BIGINT NOT NULL,
        class TEXT NOT NULL,
        labels_digest TEXT NOT NULL,
        executions BIGINT NOT NULL,
        duration_s DOUBLE PRECISION NOT NULL,
        sampled_executions BIGINT NOT NULL,
        said_us BIGINT NOT NULL,
        PRIMARY KEY (probe_id, instance, region_id, tenant_id, class, labels_digest)))"},
    {R"(CREATE TABLE check_alerts (
        check_id BIGINT NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        threshold DOUBLE PRECISION NOT NULL,
        period TEXT NOT NULL,
        runbook_url TEXT NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL,
        created_s BIGINT NOT NULL,
        modified_s BIGINT NOT NULL,
        PRIMARY KEY (check_id, name)))"},
    {"ALTER TABLE tenants ADD COLUMN settings TEXT NOT NULL DEFAULT ''"},
};

constexpr Step fourth[] = {
    {"ALTER TABLE tenants ADD COLUMN metrics_instance BIGINT"},
    {"ALTER TABLE tenants ADD COLUMN logs_instance BIGINT"},
    {"CREATE UNIQUE INDEX tenants_without_stack ON tenants (org_id) WHERE stack_id IS NULL"},
    {"ALTER TABLE check_alerts ADD COLUMN position INTEGER NOT NULL DEFAULT 0"},
};

constexpr std::span<const Step> migrations[] = {first, second, third, fourth};

void apply(Transaction& db, const Dialect& dialect, const Step& step)
{
    if (step.fill)
        return step.fill(db.sql());
    constexpr std::string_view id = "{id}";
    std::string text{step.statement};
    if (const auto at = text.find(id); at != std::string::npos)
        text.replace(at, id.size(), dialect.id_column());
    db.sql() << text;
}

}  // namespace

Result<> migrate(Transaction& db, const Dialect& dialect, int upto)
{
    const int version = dialect.schema_version(db.sql());
    if (version > upto)
        return error("database", "was written by a newer version (schema {}, this one knows {})",
            version, upto);
    if (version == upto)
        return {};
    for (int at = version; at < upto; ++at)
        for (const Step& step : migrations[at])
            apply(db, dialect, step);
    dialect.set_schema_version(db.sql(), upto);
    return {};
}

int newest_schema()
{
    return static_cast<int>(std::size(migrations));
}

}  // namespace sonde::control
