#pragma once

#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/store.h"
#include "agent/control/store/tenants.h"
#include "tests/support/loop.h"
#include "tests/support/test_database.h"

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

namespace sonde::tests {

using namespace std::chrono_literals;
using control::Store;
using control::Transaction;
namespace store = sonde::control::store;

/// Runs the test on an empty database of each kind.
template <class Test>
void on_both(Test test)
{
    for (const auto kind : {DatabaseKind::sqlite, DatabaseKind::postgresql}) {
        CAPTURE(static_cast<int>(kind));
        const ScratchFolder folder;
        const TestDatabase database{folder, kind};
        test(database);
    }
}

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

inline std::int64_t add_tenant(Memory& memory, std::int64_t stack = 3)
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

inline std::int64_t add_probe(Memory& memory, std::int64_t tenant, const std::string& name)
{
    auto add = [&](Transaction& db) -> Result<std::int64_t> {
        pb::Probe probe;
        probe.set_name(name);
        return store::add_probe(db, tenant, probe).value().probe.id();
    };
    return memory.store.write_now(add).value();
}

inline store::StoredCheck check(const std::string& job, const std::vector<std::int64_t>& probes)
{
    store::StoredCheck out;
    out.check.set_job(job);
    out.check.set_target("example.org");
    out.check.set_enabled(true);
    for (const std::int64_t probe : probes)
        out.check.add_probes(probe);
    return out;
}

inline Result<store::StoredCheck> add_check(
    Memory& memory, std::int64_t tenant, const store::StoredCheck& wanted)
{
    return memory.store.write_now([&](Transaction& db) -> Result<store::StoredCheck> {
        return store::add_check(db, tenant, wanted);
    });
}

inline std::size_t number_of_checks(Transaction& db, std::int64_t tenant)
{
    std::size_t number = 0;
    store::each_check(db, tenant, [&](const store::StoredCheck&) { ++number; });
    return number;
}

inline std::size_t number_of_checks(Memory& memory, std::int64_t tenant)
{
    return memory
        .read([&](Transaction& db) -> Result<std::size_t> { return number_of_checks(db, tenant); })
        .value();
}

/// What start-up says of a database.
inline std::string refusal(const control::Database& database, control::Seal seal)
{
    asio::io_context loop;
    asio::thread_pool workers{1};
    control::Feed feed{loop.get_executor()};
    Store memory{workers, feed};
    const auto opened = memory.open(database, std::move(seal));
    return opened ? "" : opened.error().message;
}

}  // namespace sonde::tests
