// The store on both databases.
#include "agent/control/store/statement.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <fmt/format.h>
#include <soci/postgresql/soci-postgresql.h>

#include <exception>
#include <filesystem>
#include <future>

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/store")
{
    TEST_CASE("what is written is there for the next process; what is refused is not")
    {
        on_both([](const TestDatabase& database) {
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
        });
    }

    TEST_CASE("a transaction that the database wants again is run again, five times at most")
    {
        on_both([](const TestDatabase& database) {
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
                CHECK(done.has_value() == (!database.url().empty() && failures == 4));
                CHECK(tries == (!database.url().empty() ? 5 : 1));
                if (!done)
                    CHECK(done.error().reason == "unavailable");
            }
            CHECK(number_of_checks(memory, tenant) == (!database.url().empty() ? 1 : 0));
        });
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

    TEST_CASE("writes that wait for another one keep no thread from reads")
    {
        on_both([](const TestDatabase& database) {
            std::promise<void> read;
            const auto have_read = read.get_future().share();
            Memory memory{database};  // three threads
            const auto tenant = add_tenant(memory);
            auto hold = [&](Transaction&) -> Result<> {
                CHECK(have_read.wait_for(30s) == std::future_status::ready);
                return {};
            };
            auto follow = [](Transaction&) -> Result<> { return {}; };
            int done = 0;
            const auto count = [&done](const std::exception_ptr& failed, const Result<>& written) {
                CHECK_FALSE(failed);
                CHECK(written.has_value());
                ++done;
            };
            asio::co_spawn(memory.loop, memory.store.write(hold), count);
            for (int i = 0; i < 4; ++i)
                asio::co_spawn(memory.loop, memory.store.write(follow), count);
            CHECK(number_of_checks(memory, tenant) == 0);
            if (!database.url().empty())
                CHECK(memory.presence(follow).has_value());
            CHECK(done == 0);
            read.set_value();
            memory.until([&] { return done == 5; });
        });
    }

    TEST_CASE("when a token was last in use is noted once a minute")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            auto issue = [&](Transaction& db) -> Result<std::string> {
                return store::issue_token(db, tenant, "create", 10);
            };
            const auto lookup = control::lookup_of(memory.store.write_now(issue).value());
            const auto used = [&] {
                auto look = [&](Transaction& db) -> Result<std::int64_t> {
                    std::int64_t at = 0;
                    db.sql() << "SELECT used_us FROM tokens WHERE lookup = :lookup",
                        soci::use(lookup), soci::into(at);
                    return at;
                };
                return memory.read(look).value();
            };
            const auto note = [&] {
                auto work = [&](Transaction& db) -> Result<> {
                    store::note_used(db, {lookup, "unknown"});
                    return {};
                };
                CHECK(memory.presence(work).has_value());
            };
            const auto issued = used();
            note();
            CHECK(used() == issued);
            auto age = [](Transaction& db) -> Result<> {
                db.sql() << "UPDATE tokens SET used_us = used_us - 60000000";
                return {};
            };
            CHECK(memory.store.write_now(age).has_value());
            note();
            CHECK(used() >= issued);
        });
    }

    TEST_CASE("a statement is prepared once for its connection, and may run within itself")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const std::string text =
                "SELECT n FROM (SELECT 1 AS n UNION SELECT 2) AS numbers WHERE n <= :most "
                "ORDER BY n";
            auto work = [&](Transaction& db) -> Result<> {
                for (const int most : {2, 1}) {
                    CAPTURE(most);
                    int sum = 0;
                    int outer = 0;
                    int inner = 0;
                    auto rows = store::executed(db, text, soci::use(most), soci::into(outer));
                    while (rows.fetch()) {
                        auto again = store::executed(db, text, soci::use(outer), soci::into(inner));
                        while (again.fetch())
                            sum += 10 * outer + inner;
                    }
                    CHECK(sum == (most == 2 ? 11 + 21 + 22 : 11));
                }
                CHECK(db.sql().kept.size() == (database.url().empty() ? 0 : 1));
                return {};
            };
            CHECK(memory.store.write_now(work).has_value());
        });
    }

    TEST_CASE("what the log says of a failed statement holds nothing of its rows")
    {
        on_both([](const TestDatabase& database) {
            const auto dialect = control::make_dialect(database.database());
            const auto sql = dialect->connect();
            *sql << "CREATE TEMPORARY TABLE kept (secret TEXT UNIQUE)";
            *sql << "INSERT INTO kept VALUES ('hunter2')";
            std::string why;
            try {
                *sql << "INSERT INTO kept VALUES ('hunter2')";
            } catch (const std::exception& refused) {
                const auto failure = dialect->judge(sql.get(), refused);
                CHECK(failure.kind == control::Failure::Kind::refused);
                why = failure.why;
            }
            CAPTURE(why);
            CHECK(why.find("kept") != std::string::npos);  // it names the constraint
            CHECK(why.find("hunter2") == std::string::npos);
        });
    }

    TEST_CASE("a database opens only with the keys that sealed it")
    {
        on_both([](const TestDatabase& database) {
            {
                const Memory memory{database};
            }
            const ScratchFolder folder;
            CHECK(refusal(database.database(), *control::Seal::load(folder.path("other")))
                    .starts_with("secrets.key_file: its keys are not those"));
            CHECK(refusal(database.database(), database.seal()).empty());
        });
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
