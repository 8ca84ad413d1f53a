// The store on both databases.
#include "agent/control/store/changes.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/sessions.h"
#include "agent/control/store/store.h"
#include "agent/control/store/tenants.h"
#include "tests/support/loop.h"
#include "tests/support/test_database.h"

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <thread>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using control::Store;
using control::Transaction;
namespace store = sonde::control::store;

namespace {

constexpr DatabaseKind both[] = {DatabaseKind::sqlite, DatabaseKind::postgresql};

/// A store with a loop of its own, as a process has it.
struct Memory {
    asio::io_context loop;
    asio::thread_pool workers{3};
    control::Feed feed{loop.get_executor()};
    Store store{workers, feed};

    explicit Memory(const TestDatabase& database)
    {
        const auto opened = store.open(database.database(), database.seal());
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message));
    }

    template <class Work>
    auto read(Work work)
    {
        return await(loop, store.read(std::move(work)), 60s);
    }

    template <class Work>
    auto presence(Work work)
    {
        return await(loop, store.presence(std::move(work)), 60s);
    }

    /// Awaits something that another thread brings about.
    template <class Condition>
    void until(Condition condition)
    {
        const auto limit = std::chrono::steady_clock::now() + 30s;
        while (!condition()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            loop.restart();
            loop.run_for(20ms);
        }
    }
};

std::int64_t add_tenant(Memory& memory, std::int64_t stack = 3)
{
    auto add = [&](Transaction& db) -> Result<std::int64_t> {
        control::Organization organization;
        organization.id = 1000;
        control::Stack of;
        of.id = stack;
        return store::install_tenant(db, organization, of, {}, {}, "password").id();
    };
    return memory.store.write_now(add).value();
}

std::int64_t add_probe(Memory& memory, std::int64_t tenant, const std::string& name)
{
    auto add = [&](Transaction& db) -> Result<std::int64_t> {
        pb::Probe probe;
        probe.set_name(name);
        return store::add_probe(db, tenant, probe).value().probe.id();
    };
    return memory.store.write_now(add).value();
}

store::StoredCheck check(const std::string& job, const std::vector<std::int64_t>& probes)
{
    store::StoredCheck out;
    out.check.set_job(job);
    out.check.set_target("example.org");
    out.check.set_enabled(true);
    for (const std::int64_t probe : probes)
        out.check.add_probes(probe);
    return out;
}

Result<store::StoredCheck> add_check(
    Memory& memory, std::int64_t tenant, const store::StoredCheck& wanted)
{
    return memory.store.write_now([&](Transaction& db) -> Result<store::StoredCheck> {
        return store::add_check(db, tenant, wanted);
    });
}

std::size_t number_of_checks(Memory& memory, std::int64_t tenant)
{
    return memory
        .read([&](Transaction& db) -> Result<std::size_t> {
            return store::list_checks(db, tenant).size();
        })
        .value();
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
            auto found = *store::find_check(db, tenant_, id);
            found.check.clear_probes();
            for (const std::int64_t probe : probes)
                found.check.add_probes(probe);
            found.check.set_enabled(enabled);
            const auto updated = store::update_check(db, tenant_, found);
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
            records += store::count_changes(db, each, version);
        complete = complete && records == now.version - version;
        if (store::count_changes(db, probe, version) > 0)
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

/// What start-up says of a database.
std::string refusal(const control::Database& database, control::Seal seal)
{
    asio::io_context loop;
    asio::thread_pool workers{1};
    control::Feed feed{loop.get_executor()};
    Store memory{workers, feed};
    const auto opened = memory.open(database, std::move(seal));
    return opened ? "" : opened.error().message;
}

}  // namespace

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

    TEST_CASE("who follows the change log ends with what the store has")
    {
        for (const auto kind : both) {
            const unsigned seed = std::random_device{}();
            CAPTURE(static_cast<int>(kind));
            CAPTURE(seed);
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
            std::array<asio::io_context, 3> loops;
            Memory first{database};
            // Two replicas of a PostgreSQL database; a SQLite file has one process.
            std::optional<Memory> other;
            if (kind == DatabaseKind::postgresql)
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
        }
    }

    TEST_CASE("old change records go; who was behind can see that")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
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
                return store::count_changes(db, probe, 0);
            });
            CHECK(after.value() == 1);
        }
    }

    TEST_CASE("a probe has one session at a time, whichever replica it asks")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
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
        }
    }

    TEST_CASE("probe data counts as delivered when the session has lasted")
    {
        for (const auto kind : both) {
            CAPTURE(static_cast<int>(kind));
            const ScratchFolder folder;
            const TestDatabase database{folder, kind};
            Memory memory{database};
            const auto tenant = add_tenant(memory);
            const auto probe = add_probe(memory, tenant, "a");
            auto change = [&](Transaction& db) -> Result<> {
                pb::Probe changed = store::find_probe(db, probe)->probe;
                changed.set_region("APAC");
                CHECK(store::update_probe(db, tenant, changed, false).has_value());
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
        }
    }

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
                CHECK(store::list_checks(db, tenant).size() == 2);
            CHECK(store::add_check(db, tenant, check("3", {probe})).has_value());
            if (tries == 1) {
                cluster.cut(database.url());
                store::list_checks(db, tenant);  // throws
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
              file + ": was written by a newer version (schema 99, this one knows 2)");
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
              database.url() + ": was written by a newer version (schema 99, this one knows 2)");
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
