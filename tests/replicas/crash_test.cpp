// The control plane killed in the middle of everything: what it has acknowledged is there, nothing
// is there by halves, and every probe comes to have what the API says.
#include "tests/replicas/installation.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>

#include <random>

using namespace sonde;
using namespace sonde::tests;

namespace {

constexpr std::size_t some_kills = 5;
constexpr std::size_t most_writes_between = 80;
constexpr int longest_start_ms = 300;

/// Now and then it is killed while it starts, too.
void start_again(Installation& here, std::mt19937& random)
{
    const auto below = [&random](int limit) {
        return std::uniform_int_distribution<int>{0, limit - 1}(random);
    };
    for (ControlPlane& plane = *here.replicas.front(); below(4) == 0;) {
        plane.launch();
        ::poll(nullptr, 0, below(longest_start_ms));
        plane.kill();
    }
    here.replicas.front()->start();
    if (here.database.kind() == DatabaseKind::postgresql)
        here.database.expire_leases();  // what half a minute would do
}

void is_killed_again_and_again(DatabaseKind kind)
{
    const unsigned chosen = seed();
    std::mt19937 random{chosen};
    Installation here{{.database = kind, .writers = {.seed = chosen}}};
    const std::size_t kills = number_from("SONDE_KILLS", some_kills);
    for (std::size_t i = 0; i < kills; ++i) {
        CAPTURE(i);
        here.writers->start();
        here.writers->await_acknowledged(
            std::uniform_int_distribution<std::size_t>{1, most_writes_between}(random));
        here.replicas.front()->kill();
        here.writers->stop();
        start_again(here, random);
        here.is_consistent();
    }
    CHECK(here.database.sql("SELECT count(*) FROM change_log WHERE version > (SELECT value FROM "
                            "change_counter)") == "0");
    if (kind == DatabaseKind::sqlite) {
        CHECK(here.database.sql("PRAGMA integrity_check") == "ok");
        CHECK(here.database.sql("PRAGMA foreign_key_check").empty());
    }
    MESSAGE(fmt::format("{} kills, {} writes acknowledged, {} of unknown outcome", kills,
        here.writers->acknowledged(), here.writers->unknown()));
}

}  // namespace

TEST_SUITE("replicas/crash")
{
    TEST_CASE("SQLite: kill -9 loses no acknowledged write and leaves none half done")
    {
        is_killed_again_and_again(DatabaseKind::sqlite);
    }

    TEST_CASE("PostgreSQL: kill -9 loses no acknowledged write and leaves none half done")
    {
        is_killed_again_and_again(DatabaseKind::postgresql);
    }

    TEST_CASE("the change log is gone when the control plane comes back: probes get the rest")
    {
        for (const DatabaseKind kind : {DatabaseKind::sqlite, DatabaseKind::postgresql}) {
            CAPTURE(to_string(kind));
            Installation here{{.database = kind, .writers = {.seed = seed()}}};
            here.writers->start();
            here.writers->await_acknowledged(50);
            here.replicas.front()->kill();
            here.writers->stop();
            here.database.prune();
            here.database.expire_leases();
            here.replicas.front()->start();
            here.is_consistent();
        }
    }

    TEST_CASE("SIGTERM in the middle of writes: none is lost, and it ends in order")
    {
        for (const DatabaseKind kind : {DatabaseKind::sqlite, DatabaseKind::postgresql}) {
            CAPTURE(to_string(kind));
            Installation here{{.database = kind, .writers = {.seed = seed()}}};
            here.writers->start();
            here.writers->await_acknowledged(50);
            CHECK(here.replicas.front()->stop() == 0);
            here.writers->stop();
            here.replicas.front()->start();
            here.is_consistent();
        }
    }
}
