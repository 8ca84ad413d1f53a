// Two replicas, two processes, one PostgreSQL.
#include "tests/replicas/installation.h"
#include "tests/support/postgresql.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>

using namespace sonde;
using namespace sonde::tests;

namespace {

Installation::Options two_replicas()
{
    return {.database = DatabaseKind::postgresql, .replicas = 2, .writers = {.seed = seed()}};
}

std::string ping_check(const Installation& here, const std::string& job, std::size_t probe)
{
    return fmt::format(
        R"({{"job": "{}", "target": "example.org", "frequency": 10000, "timeout": 3000,
"enabled": true, "probes": [{}], "settings": {{"ping": {{}}}}}})",
        job, here.probe_ids[probe]);
}

void connected(const Installation& here)
{
    for (const auto& probe : here.probes)
        REQUIRE(probe->await([](const ProbeView& view) { return view.sessions > 0; }));
}

/// Both probes go to the second replica; one that it turns away, since the lease of its last
/// session is not given back yet, sits at the first.
void send_to_second(Installation& here)
{
    for (const auto& probe : here.probes) {
        probe->use_addresses(here.addresses(1));
        probe->disconnect();
    }
    const auto tried = [](const ProbeView& view) { return view.sessions > 1; };
    for (const auto& probe : here.probes)
        REQUIRE(probe->await(tried));
}

/// Kills a process of the server that serves this database: PostgreSQL then ends all sessions,
/// recovers from its log, and lets nobody in until it is done.
void crash_postgresql(const ControlDatabase& database)
{
    const std::string victim =
        database.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'sonde' LIMIT 1");
    REQUIRE(::kill(std::atoi(victim.c_str()), SIGKILL) == 0);
}

}  // namespace

TEST_SUITE("replicas/two")
{
    TEST_CASE("what is written to one reaches the probes of the other, in its order")
    {
        Installation here{two_replicas()};
        connected(here);
        constexpr int updates = 50;
        for (std::size_t probe : {std::size_t{0}, std::size_t{1}}) {
            const ApiClient far = here.api(1 - probe);  // probe N sits at replica N
            const auto added = far.call("POST", "check/add", ping_check(here, "far", probe));
            REQUIRE_MESSAGE(added.status == 200, added.body);
            std::string check = added.body;
            for (int i = 1; i <= updates; ++i) {
                const auto at = check.find("\"timeout\":") + 10;
                check.replace(at, 4, std::to_string(3000 + i));
                REQUIRE(far.call("POST", "check/update", check).status == 200);
            }
            // One that would go back in time is among what the client finds odd.
            CHECK(here.probes[probe]->await([](const ProbeView& view) {
                return view.checks.size() == 1 &&
                       view.checks.begin()->second.timeout() == 3000 + updates;
            }));
            REQUIRE(far.call("DELETE", fmt::format("check/delete/{}",
                                           here.probes[probe]->view().checks.begin()->first))
                        .status == 200);
            CHECK(here.probes[probe]->await(
                [](const ProbeView& view) { return view.checks.empty(); }));
        }
        here.is_consistent();
    }

    TEST_CASE("kill -9 of a replica: its probes go on at the other, and nothing is lost")
    {
        Installation here{two_replicas()};
        connected(here);
        send_to_second(here);
        here.writers->start();
        here.writers->await_acknowledged(40);
        here.replicas[1]->kill();
        here.writers->await_acknowledged(40);
        here.is_consistent(0);  // the probes wait for the end of their leases, half a minute
        for (const auto& probe : here.probes)
            CHECK(probe->view().turned_away > 0);
        here.writers->start();  // and later changes
        here.writers->await_acknowledged(40);
        here.is_consistent(0);
        here.replicas[1]->start();
        here.writers->start();
        here.writers->await_acknowledged(40);
        here.is_consistent(1);
    }

    TEST_CASE("SIGTERM of a replica: its probes go on at the other at once")
    {
        Installation here{two_replicas()};
        connected(here);  // each at its own replica
        const std::string owner = here.database.sql(
            fmt::format("SELECT lease_owner FROM probes WHERE id = {}", here.probe_ids[1]));
        send_to_second(here);
        here.writers->start();
        here.writers->await_acknowledged(40);
        CHECK(here.replicas[1]->stop() == 0);
        const auto kept = here.database.sql(
            "SELECT count(*) FROM probes WHERE lease_session <> 0 AND lease_owner = '" + owner +
            "'");
        CHECK_MESSAGE(kept == "0", here.replicas[1]->log());
        here.writers->await_acknowledged(40);
        here.is_consistent(0);
    }

    TEST_CASE("PostgreSQL crashes and recovers: no acknowledged write is lost, no probe refused")
    {
        Installation here{two_replicas()};
        connected(here);
        for (int i = 0; i < 3; ++i) {
            here.writers->start();
            here.writers->await_acknowledged(30);
            crash_postgresql(here.database);
            here.writers->await_acknowledged(30);
            for (const auto& probe : here.probes)
                probe->disconnect();  // authentication must bear it, too
            here.is_consistent(static_cast<std::size_t>(i) % 2);
        }
    }

    TEST_CASE("connections to PostgreSQL are cut again and again: no acknowledged write is lost")
    {
        Installation here{two_replicas()};
        connected(here);
        here.writers->start();
        for (int i = 0; i < 20; ++i) {
            here.writers->await_acknowledged(5);
            Postgresql::cluster().cut(here.database.url());
            here.probes[static_cast<std::size_t>(i) % here.probes.size()]->disconnect();
        }
        here.is_consistent();
    }

    TEST_CASE("the database lets nobody in for a while: probes are told to come back, never to go")
    {
        Installation here{two_replicas()};
        connected(here);
        Postgresql::cluster().open_to_connections(here.database.url(), false);
        for (const auto& probe : here.probes)
            probe->disconnect();
        const auto told = [](const ProbeView& view) {
            return view.last_end.starts_with("RegisterProbe: 14 ");
        };
        for (const auto& probe : here.probes)
            CHECK(probe->await(told));
        CHECK(here.api().call("GET", "check/list").status == 503);
        Postgresql::cluster().open_to_connections(here.database.url(), true);
        REQUIRE(await([&] { return here.api().call("GET", "tenant").status == 200; }));
        here.writers->start();
        here.writers->await_acknowledged(30);
        here.is_consistent();
    }
}
