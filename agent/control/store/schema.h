#pragma once

#include <array>
#include <string_view>

namespace sonde::control {

inline constexpr int schema_version = 1;

// Messages lie sealed in `body`; a column of its own has what statements look for. Times are whole
// microseconds since the epoch.
inline constexpr std::array<std::string_view, 9> schema_statements = {
    R"(CREATE TABLE tenants (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org_id INTEGER NOT NULL,
        stack_id INTEGER UNIQUE,
        status INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        modified_us INTEGER NOT NULL))",
    // The operator: owns public probes, has no tokens. Tenants that register start at 2.
    R"(INSERT INTO tenants (id, org_id, body, created_us, modified_us) VALUES (1, 0, '', 0, 0))",
    R"(CREATE TABLE tokens (
        lookup TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
        origin TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        used_us INTEGER NOT NULL))",
    R"(CREATE TABLE probes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id INTEGER NOT NULL REFERENCES tenants (id),
        name TEXT NOT NULL,
        public INTEGER NOT NULL DEFAULT 0,
        key TEXT UNIQUE,
        token_digest TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        online INTEGER NOT NULL DEFAULT 0,
        online_change_us INTEGER NOT NULL,
        version TEXT NOT NULL DEFAULT '',
        build_commit TEXT NOT NULL DEFAULT '',
        buildstamp TEXT NOT NULL DEFAULT '',
        meta_version INTEGER NOT NULL DEFAULT 1,
        delivered_meta_version INTEGER NOT NULL DEFAULT 1,
        lease_session INTEGER NOT NULL DEFAULT 0,
        lease_until_us INTEGER NOT NULL DEFAULT 0,
        created_us INTEGER NOT NULL,
        modified_us INTEGER NOT NULL))",
    R"(CREATE TABLE checks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant_id INTEGER NOT NULL REFERENCES tenants (id),
        job TEXT NOT NULL,
        target TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        folder_uid TEXT NOT NULL DEFAULT '',
        body TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        modified_us INTEGER NOT NULL,
        UNIQUE (tenant_id, job, target)))",
    R"(CREATE TABLE check_probes (
        check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
        probe_id INTEGER NOT NULL REFERENCES probes (id),
        PRIMARY KEY (check_id, probe_id)) WITHOUT ROWID)",
    R"(CREATE INDEX check_probes_by_probe ON check_probes (probe_id))",
    R"(CREATE INDEX probes_by_tenant ON probes (tenant_id))",
    R"(CREATE INDEX tokens_by_tenant ON tokens (tenant_id))",
};

}  // namespace sonde::control
