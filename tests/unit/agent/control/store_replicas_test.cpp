// Several processes with one database.
#include "agent/control/store/sessions.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <array>
#include <atomic>
#include <optional>
#include <thread>

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/store")
{
    TEST_CASE("two writes that want the same race for it in the database: one wins")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        std::array<asio::io_context, 2> loops;
        Memory first{database};
        Memory second{database};
        const auto tenant = add_tenant(first);
        const auto probe = add_probe(first, tenant, "a");
        for (int round = 0; round < 20; ++round) {
            std::atomic<int> checks = 0;
            std::atomic<int> sessions = 0;
            const auto race = [&](Memory& memory, asio::io_context& loop) {
                checks += add_check(memory, tenant, check(std::to_string(round), {})) ? 1 : 0;
                auto begin = [&](Transaction& db) -> Result<std::optional<std::int64_t>> {
                    return store::begin_session(db, probe, {}, 10s);
                };
                sessions += await(loop, memory.store.presence(begin), 60s).value() ? 1 : 0;
            };
            std::thread other{[&] { race(second, loops[1]); }};
            race(first, loops[0]);
            other.join();
            CHECK(checks == 1);
            CHECK(sessions == 1);
            auto end = [&](Transaction& db) -> Result<> {
                store::end_all_sessions(db);
                return {};
            };
            CHECK(first.presence(end).has_value());
        }
    }

    TEST_CASE("replicas that start together make the tables once")
    {
        const ScratchFolder folder;
        const TestDatabase database{folder, DatabaseKind::postgresql};
        std::vector<std::thread> starting;
        std::atomic<int> started = 0;
        for (int i = 0; i < 4; ++i)
            starting.emplace_back([&] {
                const auto why = refusal(database.database(), database.seal());
                CHECK(why.empty());
                ++started;
            });
        for (std::thread& each : starting)
            each.join();
        CHECK(started == 4);
        Memory memory{database};
        CHECK(add_tenant(memory) == 2);
    }
}
