// Sessions of probes.
#include "agent/control/store/sessions.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <optional>

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/store")
{
    TEST_CASE("a probe has one session at a time, whichever replica it asks")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            const auto probe = add_probe(memory, tenant, "a");
            const auto begin = [&](std::chrono::seconds unconfirmed) {
                return memory
                    .presence([&](Transaction& db) -> Result<std::optional<std::int64_t>> {
                        return store::begin_session(db, probe, {}, unconfirmed);
                    })
                    .value();
            };
            const auto confirm = [&](const std::string& replica) {
                return memory
                    .presence([&](Transaction& db) -> Result<std::optional<store::Session>> {
                        return store::confirm_session(db, probe, replica, 45s);
                    })
                    .value();
            };
            const auto renew = [&](std::int64_t session, std::chrono::milliseconds lease) {
                return memory
                    .presence([&](Transaction& db) -> Result<bool> {
                        return store::renew_session(db, probe, session, lease);
                    })
                    .value();
            };
            const auto doing = [&](auto work) {
                const auto done = memory.presence([&](Transaction& db) -> Result<> {
                    work(db);
                    return {};
                });
                CHECK(done.has_value());
            };
            const auto online = [&] {
                return memory
                    .read([&](Transaction& db) -> Result<bool> {
                        return store::find_probe(db, probe)->probe.online();
                    })
                    .value();
            };

            CHECK_FALSE(confirm("A").has_value());  // nobody has registered
            const auto first = begin(10s);
            REQUIRE(first.has_value());
            CHECK(online());
            CHECK_FALSE(begin(10s).has_value());
            const auto confirmed = confirm("B");
            REQUIRE(confirmed.has_value());
            CHECK(confirmed->number == *first);
            CHECK(confirmed->meta_version == 1);
            CHECK_FALSE(confirm("A").has_value());  // one stream for each session
            CHECK(renew(*first, 45s));
            CHECK_FALSE(renew(*first + 1, 45s));
            doing([&](Transaction& db) { store::end_session(db, probe, *first + 1); });
            doing([&](Transaction& db) { store::end_sessions_of(db, "A"); });
            doing([&](Transaction& db) { store::expire_sessions(db); });
            CHECK(online());
            doing([&](Transaction& db) { store::end_sessions_of(db, "B"); });
            CHECK_FALSE(online());
            CHECK_FALSE(renew(*first, 45s));

            // Of an agent that went before its stream began, and of a replica that crashed.
            const auto second = begin(-1s);
            REQUIRE(second.has_value());
            CHECK_FALSE(confirm("A").has_value());
            const auto third = begin(10s);
            REQUIRE(third.has_value());
            CHECK(confirm("A").has_value());
            CHECK(renew(*third, -1s));
            CHECK(online());
            doing([&](Transaction& db) { store::expire_sessions(db); });
            CHECK_FALSE(online());
        });
    }

    TEST_CASE("probe data counts as delivered when the session has lasted")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            const auto probe = add_probe(memory, tenant, "a");
            auto change = [&](Transaction& db) -> Result<> {
                const auto before = *store::find_probe(db, probe);
                pb::Probe changed = before.probe;
                changed.set_region("APAC");
                CHECK(store::update_probe(db, before, changed, false).has_value());
                CHECK(store::begin_session(db, probe, {}, 10s).has_value());
                CHECK(store::confirm_session(db, probe, "A", 45s).has_value());
                return {};
            };
            CHECK(memory.store.write_now(change).has_value());
            const auto delivered = [&](std::chrono::seconds after) {
                return memory
                    .presence([&](Transaction& db) -> Result<std::int64_t> {
                        store::note_delivered(db, probe, after);
                        return store::find_probe(db, probe)->delivered_meta_version;
                    })
                    .value();
            };
            CHECK(delivered(60s) == 1);
            CHECK(delivered(0s) == 2);
        });
    }

    TEST_CASE("a SQLite file is for one process; the next one finds all sessions over")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::sqlite};
        std::int64_t probe = 0;
        {
            Memory memory{database};
            probe = add_probe(memory, add_tenant(memory), "a");
            auto begin = [&](Transaction& db) -> Result<std::optional<std::int64_t>> {
                return store::begin_session(db, probe, {}, 1h);
            };
            CHECK(memory.presence(begin).value().has_value());
            CHECK(refusal(database.database(), database.seal())
                    .ends_with("control.db: is in use by another process"));
        }
        Memory memory{database};
        auto begin = [&](Transaction& db) -> Result<std::optional<std::int64_t>> {
            CHECK_FALSE(store::find_probe(db, probe)->probe.online());
            return store::begin_session(db, probe, {}, 1h);
        };
        CHECK(memory.presence(begin).value().has_value());
    }
}
