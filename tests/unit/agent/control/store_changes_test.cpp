// The change log: who follows it misses nothing.
#include "agent/control/store/changes.h"
#include "agent/control/store/connection.h"
#include "tests/unit/agent/control/store_fixture.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

using namespace sonde;
using namespace sonde::tests;

namespace {

/// How many records of a probe are after a version.
std::int64_t count_changes(Transaction& db, std::int64_t probe, std::int64_t after)
{
    std::int64_t count = 0;
    db.sql() << "SELECT count(*) FROM change_log WHERE probe_id = :probe AND version > :after",
        soci::use(probe), soci::use(after), soci::into(count);
    return count;
}

using Known = std::map<std::int64_t, double>;

Known known_now(Transaction& db, std::int64_t probe)
{
    Known known;
    for (const pb::Check& each : store::checks_to_run(db, probe).checks)
        known[each.id()] = each.modified();
    return known;
}

/// Adds, changes and deletes checks of some probes at random.
class Writer {
public:
    Writer(Memory& memory, std::int64_t tenant, std::vector<std::int64_t> probes, unsigned seed)
        : memory_{memory}, tenant_{tenant}, probes_{std::move(probes)}, seed_{seed}, random_{seed}
    {}

    void run(int steps)
    {
        for (int step = 0; step < steps; ++step) {
            const auto choice = random_() % 4;
            const auto done = choice == 0 || ids_.empty() ? add(step)
                              : choice == 1               ? remove()
                                                          : change();
            CHECK_MESSAGE(done.has_value(), (done ? "" : done.error().message));
        }
    }

private:
    std::vector<std::int64_t> some()
    {
        std::vector<std::int64_t> out;
        for (const std::int64_t probe : probes_)
            if (random_() % 2 == 0)
                out.push_back(probe);
        return out;
    }
    Result<> add(int step)
    {
        auto added = add_check(memory_, tenant_, check(fmt::format("{}/{}", seed_, step), some()));
        if (!added)
            return added.error();
        ids_.push_back(added->check.id());
        return {};
    }
    Result<> remove()
    {
        const auto at = random_() % ids_.size();
        const std::int64_t id = ids_[at];
        ids_.erase(ids_.begin() + static_cast<std::ptrdiff_t>(at));
        return memory_.store.write_now(
            [&](Transaction& db) { return store::delete_check(db, tenant_, id); });
    }
    Result<> change()
    {
        const std::int64_t id = ids_[random_() % ids_.size()];
        const auto probes = some();
        const bool enabled = random_() % 4 != 0;
        return memory_.store.write_now([&](Transaction& db) -> Result<> {
            const auto before = *store::find_check(db, tenant_, id);
            auto after = before;
            after.check.clear_probes();
            for (const std::int64_t probe : probes)
                after.check.add_probes(probe);
            after.check.set_enabled(enabled);
            const auto updated = store::update_check(db, {before, after});
            return updated ? Result<>{} : updated.error();
        });
    }

    Memory& memory_;
    std::int64_t tenant_;
    std::vector<std::int64_t> probes_;
    unsigned seed_;
    std::mt19937 random_;
    std::vector<std::int64_t> ids_;
};

/// Looks at a probe's checks only where the change log says so, as streams do.
struct Follower {
    std::int64_t probe;
    std::int64_t version = 0;
    Known known = {};
    bool complete = true;  ///< no version was missing when a later one could be seen

    void step(Transaction& db, const std::vector<std::int64_t>& all)
    {
        const auto now = store::change_state(db);
        std::int64_t records = 0;
        for (const std::int64_t each : all)
            records += count_changes(db, each, version);
        complete = complete && records == now.version - version;
        if (count_changes(db, probe, version) > 0)
            known = known_now(db, probe);
        version = now.version;
    }
};

/// `loop` outlives the store, whose workers let go of it last.
void follow(asio::io_context& loop, Store& from, Follower& follower,
    const std::vector<std::int64_t>& all, const std::atomic<bool>& written)
{
    for (bool last = false; !last;) {
        last = written;
        auto step = [&](Transaction& db) -> Result<> {
            follower.step(db, all);
            return {};
        };
        CHECK(await(loop, from.read(step), 60s).has_value());
    }
}

}  // namespace

TEST_SUITE("agent/control/store")
{
    TEST_CASE("who follows the change log ends with what the store has")
    {
        on_both([](const TestDatabase& database) {
            const unsigned seed = std::random_device{}();
            CAPTURE(seed);
            std::array<asio::io_context, 3> loops;
            Memory first{database};
            // Two replicas of a PostgreSQL database; a SQLite file has one process.
            std::optional<Memory> other;
            if (!database.url().empty())
                other.emplace(database);
            Memory& second = other ? *other : first;
            const auto tenant = add_tenant(first);
            std::vector<std::int64_t> probes;
            for (const char* name : {"a", "b", "c"})
                probes.push_back(add_probe(first, tenant, name));

            std::atomic<bool> written = false;
            std::vector<Follower> followers;
            for (const std::int64_t probe : probes)
                followers.push_back({probe});
            std::vector<std::thread> readers;
            for (std::size_t i = 0; i < followers.size(); ++i)
                readers.emplace_back([&, i] {
                    follow(loops[i], i % 2 == 0 ? first.store : second.store, followers[i], probes,
                        written);
                });
            std::vector<std::thread> writers;
            for (unsigned i = 0; i < 4; ++i)
                writers.emplace_back([&, i] {
                    Writer{i % 2 == 0 ? first : second, tenant, probes, seed + i}.run(40);
                });
            for (std::thread& each : writers)
                each.join();
            written = true;
            for (std::thread& each : readers)
                each.join();

            for (const Follower& follower : followers) {
                CAPTURE(follower.probe);
                CHECK(follower.complete);
                const auto stored = first.read([&](Transaction& db) -> Result<Known> {
                    return known_now(db, follower.probe);
                });
                CHECK(follower.known == stored.value());
            }
        });
    }

    TEST_CASE("old change records go; who was behind can see that")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            const auto probe = add_probe(memory, tenant, "a");
            for (const char* job : {"1", "2", "3"})
                CHECK(add_check(memory, tenant, check(job, {probe})).has_value());
            const auto prune = [&](std::chrono::seconds kept) {
                auto work = [&](Transaction& db) -> Result<store::ChangeState> {
                    const auto before = db.now_us() - std::chrono::microseconds{kept}.count();
                    store::prune_changes(db, before);
                    return store::change_state(db);
                };
                return memory.store.write_now(work).value();
            };
            CHECK(prune(1h).pruned == 0);
            const auto pruned = prune(-1s);
            CHECK(pruned.pruned == pruned.version);
            CHECK(pruned.version == 3);
            CHECK(add_check(memory, tenant, check("4", {probe})).has_value());
            const auto after = memory.read([&](Transaction& db) -> Result<std::int64_t> {
                CHECK(store::probes_changed(db, 3, 4) == std::set<std::int64_t>{probe});
                return count_changes(db, probe, 0);
            });
            CHECK(after.value() == 1);
        });
    }

    TEST_CASE("a stream hears what kinds of changes concern it, and when it is behind")
    {
        on_both([](const TestDatabase& database) {
            Memory memory{database};
            auto touch = [](Transaction& db) -> Result<> {
                using control::ChangeKind;
                for (const auto each :
                    {ChangeKind::adhoc, ChangeKind::probe_token, ChangeKind::adhoc})
                    db.touch(7, each);
                db.touch(8, ChangeKind::check);
                CHECK(db.touched() == std::set<std::int64_t>{7, 8});
                return {};
            };
            REQUIRE(memory.store.write_now(touch).has_value());
            const auto news = [&](std::int64_t after, std::size_t most) {
                return memory.read([&](Transaction& db) -> Result<store::News> {
                    return store::news_after(db, 7, after, most);
                });
            };
            CHECK(news(0, 2).value().kinds ==
                  std::set{control::ChangeKind::adhoc, control::ChangeKind::probe_token});
            CHECK(news(3, 2).value().kinds.empty());
            CHECK(news(0, 1).error().reason == "behind");
        });
    }
}
