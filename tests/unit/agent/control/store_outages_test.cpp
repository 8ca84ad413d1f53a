// Databases that go away.
#include "tests/unit/agent/control/store_fixture.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/store")
{
    TEST_CASE("broken connections are replaced, and nobody notices")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        const auto& cluster = Postgresql::cluster();
        Memory memory{database};
        Memory other{database};
        const auto tenant = add_tenant(memory);
        const auto probe = add_probe(memory, tenant, "a");
        int woken = 0;
        other.feed.subscribe(probe, [&] { ++woken; });
        CHECK(add_check(memory, tenant, check("1", {probe})).has_value());
        other.until([&] { return woken > 0; });

        cluster.cut(database.url());
        CHECK(number_of_checks(memory, tenant) == 1);
        CHECK(number_of_checks(other, tenant) == 1);
        woken = 0;
        CHECK(add_check(memory, tenant, check("2", {probe})).has_value());
        other.until([&] { return woken > 0; });  // listened again, or looked

        // In the middle of a transaction: it is run again, and applied once.
        int tries = 0;
        auto work = [&](Transaction& db) -> Result<> {
            if (++tries == 2)
                CHECK(number_of_checks(db, tenant) == 2);
            CHECK(store::add_check(db, tenant, check("3", {probe})).has_value());
            if (tries == 1) {
                cluster.cut(database.url());
                number_of_checks(db, tenant);  // throws
            }
            return {};
        };
        CHECK(memory.store.write_now(work).has_value());
        CHECK(tries == 2);
        CHECK(number_of_checks(memory, tenant) == 3);
    }

    TEST_CASE("a commit whose connection breaks has an outcome that nobody knows")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        const auto& cluster = Postgresql::cluster();
        Memory memory{database};
        int tries = 0;
        auto work = [&](Transaction&) -> Result<> {
            ++tries;
            cluster.cut(database.url());
            return {};
        };
        const auto done = memory.store.write_now(work);
        REQUIRE(done.has_error());
        CHECK(done.error().reason == "unavailable");
        CHECK(done.error().message == "commit outcome unknown");
        CHECK(tries == 1);
        CHECK(add_tenant(memory) == 2);
    }

    TEST_CASE("a database that is away is said to be, and found again")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        const auto& cluster = Postgresql::cluster();
        Memory memory{database};
        const auto tenant = add_tenant(memory);
        CHECK(memory.store.answers());
        cluster.open_to_connections(database.url(), false);
        const auto refused = add_check(memory, tenant, check("1", {}));
        REQUIRE(refused.has_error());
        CHECK(refused.error().reason == "unavailable");
        CHECK(refused.error().message == "the database does not answer");
        CHECK_FALSE(memory.store.answers());
        cluster.open_to_connections(database.url(), true);
        memory.until([&] { return memory.store.answers(); });
        CHECK(number_of_checks(memory, tenant) == 0);
    }
}
