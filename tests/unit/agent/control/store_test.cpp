// The store on both databases.
#include "tests/unit/agent/control/store_fixture.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <filesystem>

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/store")
{
    TEST_CASE("what is written is there for the next process; what is refused is not")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
            std::int64_t tenant = 0;
            {
                Memory memory{database};
                tenant = add_tenant(memory);
                const auto probe = add_probe(memory, tenant, "a");
                CHECK(probe == 1);
                CHECK(add_check(memory, tenant, check("one", {probe})).value().check.id() == 1);
                CHECK(add_check(memory, tenant, check("one", {probe})).error().reason == "taken");
                auto undone = [&](Transaction& db) -> Result<> {
                    CHECK(store::add_check(db, tenant, check("two", {probe})).has_value());
                    return error("invalid", "no");
                };
                CHECK(memory.store.write_now(undone).error().message == "no");
                CHECK(add_check(memory, 77, check("x", {})).error().reason == "unauthorized");
            }
            Memory memory{database};
            CHECK(number_of_checks(memory, tenant) == 1);
            const std::string longest(2048, 'x');  // more than an index row of PostgreSQL
            auto both_long = check(longest, {});
            both_long.check.set_target(longest);
            CHECK(add_check(memory, tenant, both_long).has_value());
            CHECK(add_check(memory, tenant, both_long).error().reason == "taken");
        }
    }

    TEST_CASE("a transaction that the database wants again is run again, five times at most")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            for (const int failures : {4, 5}) {
                int tries = 0;
                auto work = [&](Transaction& db) -> Result<> {
                    CHECK(store::add_check(db, tenant, check(std::to_string(failures), {}))
                            .has_value());
                    if (++tries <= failures)
                        throw soci::postgresql_soci_error{"deadlock", "40P01"};
                    return {};
                };
                const auto done = memory.store.write_now(work);
                CHECK(done.has_value() == (kind == DatabaseKind::postgresql && failures == 4));
                CHECK(tries == (kind == DatabaseKind::postgresql ? 5 : 1));
                if (!done)
                    CHECK(done.error().reason == "unavailable");
            }
            CHECK(number_of_checks(memory, tenant) == (kind == DatabaseKind::postgresql ? 1 : 0));
        }
    }

    TEST_CASE("what start-up says names the place and no password")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        auto wrong = database.database();
        wrong.password = config::Secret{"hunter2"};
        const auto failed = refusal(wrong, database.seal());
        CHECK(failed.starts_with(wrong.url + ": "));
        CHECK(failed.find("password authentication failed") != std::string::npos);
        CHECK(failed.find("hunter2") == std::string::npos);
        wrong = database.database();
        wrong.url = fmt::format("postgresql://sonde@127.0.0.1:{}/x", free_port());
        CHECK(refusal(wrong, database.seal()).find("Connection refused") != std::string::npos);
        CHECK(refusal({folder.path("no/such/control.db")}, database.seal())
                .ends_with("No such file or directory"));
    }

    TEST_CASE("a database opens only with the keys that sealed it")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
            {
                const Memory memory{database};
            }
            CHECK(refusal(database.database(), *control::Seal::load(folder.path("other")))
                    .starts_with("secrets.key_file: its keys are not those"));
            CHECK(refusal(database.database(), database.seal()).empty());
        }
        const auto missing = control::Seal::load("/nonexistent", control::Seal::Missing::refuse);
        REQUIRE(missing.has_error());
        CHECK(missing.error().message.starts_with("secrets.key_file: /nonexistent is missing"));
    }

    TEST_CASE("a SQLite file is saved while it is in use, and a copy takes its place")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::sqlite};
        const std::string copy = folder.path("copy.db");
        std::int64_t tenant = 0;
        {
            Memory memory{database};
            tenant = add_tenant(memory);
            CHECK(add_check(memory, tenant, check("saved", {})).has_value());
            int status = 0;
            const auto said =
                run({"sqlite3", folder.path("control.db"), ".backup '" + copy + "'"}, &status);
            CAPTURE(said);
            CHECK(status == 0);
            CHECK(add_check(memory, tenant, check("later", {})).has_value());
        }
        for (const char* leftover : {"control.db", "control.db-wal", "control.db-shm"})
            std::filesystem::remove(folder.path(leftover));
        std::filesystem::rename(copy, folder.path("control.db"));
        Memory memory{database};
        CHECK(number_of_checks(memory, tenant) == 1);
    }
}
