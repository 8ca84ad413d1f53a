// Databases of other versions of the program.
#include "agent/control/store/changes.h"
#include "agent/control/store/connection.h"
#include "agent/control/store/migrations.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <set>

using namespace sonde;
using namespace sonde::tests;

namespace {

/// A file as the first version of the program left it.
void make_first_version(const std::string& file)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    constexpr auto script = R"(
        CREATE TABLE tenants (id INTEGER PRIMARY KEY AUTOINCREMENT, org_id INTEGER NOT NULL,
            stack_id INTEGER UNIQUE, status INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL,
            created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL);
        INSERT INTO tenants (id, org_id, body, created_us, modified_us) VALUES (1, 0, '', 0, 0);
        INSERT INTO tenants (id, org_id, body, created_us, modified_us) VALUES (2, 1, '', 0, 0);
        CREATE TABLE tokens (lookup TEXT PRIMARY KEY, digest TEXT NOT NULL,
            tenant_id INTEGER NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
            origin TEXT NOT NULL, created_us INTEGER NOT NULL, used_us INTEGER NOT NULL);
        CREATE TABLE probes (id INTEGER PRIMARY KEY AUTOINCREMENT,
            tenant_id INTEGER NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
            public INTEGER NOT NULL DEFAULT 0, key TEXT UNIQUE, token_digest TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL, online INTEGER NOT NULL DEFAULT 0,
            online_change_us INTEGER NOT NULL, version TEXT NOT NULL DEFAULT '',
            build_commit TEXT NOT NULL DEFAULT '', buildstamp TEXT NOT NULL DEFAULT '',
            meta_version INTEGER NOT NULL DEFAULT 1,
            delivered_meta_version INTEGER NOT NULL DEFAULT 1,
            lease_session INTEGER NOT NULL DEFAULT 0, lease_until_us INTEGER NOT NULL DEFAULT 0,
            created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL);
        CREATE TABLE checks (id INTEGER PRIMARY KEY AUTOINCREMENT,
            tenant_id INTEGER NOT NULL REFERENCES tenants (id), job TEXT NOT NULL,
            target TEXT NOT NULL, enabled INTEGER NOT NULL, folder_uid TEXT NOT NULL DEFAULT '',
            body TEXT NOT NULL, created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,
            UNIQUE (tenant_id, job, target));
        CREATE TABLE check_probes (
            check_id INTEGER NOT NULL REFERENCES checks (id) ON DELETE CASCADE,
            probe_id INTEGER NOT NULL REFERENCES probes (id),
            PRIMARY KEY (check_id, probe_id)) WITHOUT ROWID;
        INSERT INTO checks (tenant_id, job, target, enabled, body, created_us, modified_us)
            VALUES (2, 'old', 'example.org', 1, '', 0, 0);
        PRAGMA user_version = 1;
    )";
    CHECK(sqlite3_exec(db, script, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

void execute(const std::string& file, const std::string& statement)
{
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

/// A database as an older version of the program left it, with some records.
void make_version(
    const TestDatabase& database, int version, const std::vector<std::string>& statements)
{
    const auto dialect = control::make_dialect(database.database());
    const auto sql = dialect->connect();
    const auto seal = database.seal();
    Transaction db{*sql, *dialect, seal, control::Access::write};
    REQUIRE(control::migrate(db, *dialect, version).has_value());
    for (const std::string& each : statements)
        db.sql() << each;
    db.commit();
}

}  // namespace

TEST_SUITE("agent/control/store")
{
    TEST_CASE("an older file is brought up to date, a newer one refused")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::sqlite};
        const std::string file = folder.path("control.db");
        make_first_version(file);
        {
            Memory memory{database};
            CHECK(add_check(memory, 2, check("old", {})).error().reason == "taken");
            CHECK(add_check(memory, 2, check("new", {})).has_value());
        }
        execute(file, "PRAGMA user_version = 99");
        CHECK(refusal(database.database(), database.seal()) ==
              fmt::format("{}: was written by a newer version (schema 99, this one knows {})", file,
                  control::newest_schema()));
    }

    TEST_CASE("the version before is brought up to date with its records")
    {
        on_both([](const TestDatabase& database) {
            make_version(database, 2,
                {"INSERT INTO tenants (org_id, stack_id, body, created_us, modified_us) "
                 "VALUES (1000, 3, '', 1, 1)",
                    "INSERT INTO probes (tenant_id, name, token_digest, body, online_change_us, "
                    "created_us, modified_us) VALUES (2, 'p', 'd', '', 1, 1, 1)",
                    "UPDATE change_counter SET value = 2 WHERE id = 1",
                    "INSERT INTO change_log (version, probe_id, created_us) VALUES (1, 1, 1), "
                    "(2, 1, 1)"});
            Memory memory{database};
            const auto news = memory.read([](Transaction& db) -> Result<store::News> {
                CHECK(store::tenant_exists(db, 2));
                return store::news_after(db, 1, 0, 10);
            });
            REQUIRE(news.has_value());
            CHECK(news->version == 2);
            CHECK(news->kinds == std::set{control::ChangeKind::check});
            CHECK(add_check(memory, 2, check("new", {1})).has_value());
            const auto later = memory.read([](Transaction& db) -> Result<store::News> {
                return store::news_after(db, 1, 2, 10);
            });
            CHECK(later.value().version == 3);
        });
    }

    TEST_CASE("a newer database is refused")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        {
            Memory memory{database};
            auto newer = [](Transaction& db) -> Result<> {
                db.sql() << "INSERT INTO schema_version (version) VALUES (99)";
                return {};
            };
            CHECK(memory.store.write_now(newer).has_value());
        }
        CHECK(refusal(database.database(), database.seal()) ==
              fmt::format("{}: was written by a newer version (schema 99, this one knows {})",
                  database.url(), control::newest_schema()));
    }
}
