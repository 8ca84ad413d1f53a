// Whatever happens in whatever order, a probe ends with what the API says.
#include "tests/replicas/installation.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>

using namespace sonde;
using namespace sonde::tests;

namespace {

constexpr std::size_t some_rounds = 3;
constexpr std::size_t events_of_round = 12;

/// What happens to a stream while users write.
void disturb(Installation& here, std::mt19937& random)
{
    const auto below = [&random](std::size_t limit) {
        return std::uniform_int_distribution<std::size_t>{0, limit - 1}(random);
    };
    ProbeClient& probe = *here.probes[below(here.probes.size())];
    switch (below(6)) {
    case 0:
        return probe.disconnect();
    case 1:
        return probe.restart();
    case 2:
        return probe.stall(true);
    case 3:
        return probe.stall(false);
    case 4:
        return here.database.prune();
    default:
        return probe.use_addresses(here.addresses(below(here.replicas.size())));
    }
}

/// Rounds of writes and disturbances at random points, each of which must end in agreement.
void ends_in_agreement(Installation::Options options)
{
    const unsigned chosen = seed();
    std::mt19937 random{chosen};
    options.writers.seed = chosen;
    Installation here{options};
    const std::size_t rounds = number_from("SONDE_ROUNDS", some_rounds);
    for (std::size_t i = 0; i < rounds; ++i) {
        CAPTURE(i);
        here.writers->start();
        for (std::size_t event = 0; event < events_of_round; ++event) {
            here.writers->await_acknowledged(
                std::uniform_int_distribution<std::size_t>{1, 20}(random));
            disturb(here, random);
        }
        for (const auto& probe : here.probes)
            probe->stall(false);
        here.is_consistent(i % here.replicas.size());
    }
    std::size_t sessions = 0;
    for (const auto& probe : here.probes)
        sessions += probe->view().sessions;
    MESSAGE(fmt::format("{} writes acknowledged, {} of unknown outcome, {} sessions",
        here.writers->acknowledged(), here.writers->unknown(), sessions));
}

/// The probe has exactly what is stored, and nothing on the way was odd.
bool has_all(const Installation& here, std::size_t sessions)
{
    const Truth truth = ask_for_truth(here.api());
    const bool same = here.probes[0]->await([&](const ProbeView& view) {
        return view.sessions >= sessions && difference(truth, here.probe_ids[0], view).empty();
    });
    for (const std::string& odd : here.probes[0]->view().odd)
        FAIL_CHECK(odd);
    return same;
}

}  // namespace

TEST_SUITE("replicas/changes")
{
    TEST_CASE("what is too large for a message that agents take comes whole, in several")
    {
        constexpr int checks = 60;
        constexpr std::size_t body = 100'000;  // together more than 4 MiB (spec 01 §1.1)
        Installation here{{.probes = 1}};
        const ApiClient user = here.api();
        for (int i = 0; i < checks; ++i) {
            const auto added = user.call("POST", "check/add",
                fmt::format(R"({{"job": "j{0}", "target": "https://j{0}.example.org/",
"frequency": 60000, "timeout": 3000, "enabled": true, "probes": [{1}],
"settings": {{"http": {{"body": "{2}"}}}}}})",
                    i, here.probe_ids[0], std::string(body, 'x')));
            REQUIRE_MESSAGE(added.status == 200, added.body);
        }
        CHECK(has_all(here, 1));
        here.probes[0]->restart();  // everything at once, to one that has nothing
        CHECK(has_all(here, 2));
        // New data of the probe: everything once more, to one that has it already.
        const auto moved = user.call("POST", "probe/update",
            fmt::format(R"({{"id": {}, "tenantId": {}, "name": "moved", "region": "APAC"}})",
                here.probe_ids[0], ask_for_truth(user).tenant.id()));
        REQUIRE_MESSAGE(moved.status == 200, moved.body);
        CHECK(has_all(here, 3));
    }

    TEST_CASE("many writers, one stream: the probe ends with exactly what is stored")
    {
        for (const DatabaseKind kind : {DatabaseKind::sqlite, DatabaseKind::postgresql}) {
            CAPTURE(to_string(kind));
            Installation here{
                {.database = kind, .probes = 1, .writers = {.seed = seed(), .writers = 12}}};
            here.writers->start();
            here.writers->await_acknowledged(400);
            here.is_consistent();
            CHECK(here.writers->unknown() == 0);
        }
    }

    TEST_CASE("SQLite: changes of all kinds, streams that break, stall and come back anywhere")
    {
        ends_in_agreement({.database = DatabaseKind::sqlite,
            .probes = 3,
            .writers = {.body_bytes = 5'000, .reset_tokens = true}});
    }

    TEST_CASE(
        "PostgreSQL and two replicas: changes of all kinds, streams that break, stall and move")
    {
        ends_in_agreement({.database = DatabaseKind::postgresql,
            .replicas = 2,
            .probes = 3,
            .writers = {.body_bytes = 5'000, .reset_tokens = true}});
    }

    TEST_CASE("a stream with too much before it ends, and the probe gets everything anew")
    {
        for (const DatabaseKind kind : {DatabaseKind::sqlite, DatabaseKind::postgresql})
            ends_in_agreement({.database = kind,
                .probes = 2,
                .max_backlog = 2,
                .writers = {.body_bytes = 5'000, .reset_tokens = true}});
    }
}
