// The way from a due time to the remote on clocks that the test moves: what hours do to it.
#include "tests/integration/simulation.h"

#include <fmt/format.h>

#include <cstdlib>

using namespace sonde;
using namespace std::chrono_literals;
using tests::Simulation;

namespace {

/// `SONDE_OUTAGE=full`: as many checks and hours as an operator has; else as few as show the same.
bool full()
{
    const char* const asked = std::getenv("SONDE_OUTAGE");
    return asked != nullptr && std::string_view{asked} == "full";
}

}  // namespace

TEST_SUITE_BEGIN("outage");

TEST_CASE("a remote that is away for hours: nothing is lost, and what is live never waits for what "
          "is old")
{
    // A try every half minute, and then what has waited longest goes: within a period.
    CHECK(exporters::Timings{}.longest_backoff * 1.2 + config::PublisherConfig{}.flush_every <
          Simulation::period);
    Simulation life{full() ? 1000U : 50U};
    if (!full()) {
        life.publisher.max_queue_bytes = 64 << 10;
        life.publisher.request_bytes = 4 << 10;
    }
    life.start();
    life.pass(3min);
    life.await_delivery();
    const auto before = life.arrived().size();
    CHECK(before > 0);

    life.go_down();
    life.pass(full() ? 6h : 40min);
    CHECK(life.arrived().size() == before);
    const double backlog = life.metric("sonde_publisher_backlog_records");
    CHECK(backlog > 0);
    const double journal_mib = life.metric("sonde_journal_bytes") / (1 << 20);
    const auto begun = std::chrono::steady_clock::now();
    life.come_up();
    std::chrono::seconds drained{0};
    for (; drained < Simulation::period || life.has_old(); drained += Simulation::tick) {
        life.pass(Simulation::tick);
        life.await_live();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    life.await_delivery();

    const auto& figures = life.figures();
    MESSAGE(fmt::format(
        "{} runs, {:.0f} records and {:.1f} MiB of journal waited; the first live one arrived {} s "
        "after the remote was back, behind {} requests with old ones at most, later ones behind "
        "{} of {}; all was there {} s later on the schedule's clock, after {:.1f} s of work",
        life.published().size(), backlog, journal_mib, figures.first_live.value_or(-1s).count(),
        figures.behind_at_first, figures.behind, figures.old_requests, drained.count(),
        took.count()));
    CHECK(life.arrived() == life.published());  // all, and each once
    CHECK(life.missing() == 0);
    CHECK(life.metric("sonde_publisher_lost_total") == 0);
    REQUIRE(figures.first_live.has_value());
    CHECK(*figures.first_live <= Simulation::period);
    CHECK(figures.old_requests > 20);
    CHECK(figures.behind <= figures.old_requests / 10);  // a request or two that were under way
}

TEST_CASE("a clock that is set, forwards and back: every check goes on in its rhythm, and what was "
          "measured arrives")
{
    constexpr std::size_t checks = 20;
    Simulation life{checks};
    life.start();
    life.pass(5min);
    life.set_wall_clock(1h);
    life.pass(5min);
    life.set_wall_clock(-2h);
    life.pass(5min);
    life.await_delivery();
    CHECK(life.arrived() == life.published());
    std::map<std::int64_t, int> runs;
    int all = 0;
    for (const auto& [run, times] : life.published()) {
        runs[run.first] += times;
        all += times;
    }
    for (const auto& [check, times] : runs) {
        CAPTURE(check);
        CHECK(times >= 13);  // neither a hole nor a bunch: one each minute, less what a step cuts
        CHECK(times <= 17);
    }
    CHECK(runs.size() == checks);
    CHECK(life.metric("sonde_schedule_clock_steps_total") == 2);
    CHECK(all + static_cast<int>(life.missing()) >= 15 * static_cast<int>(checks) - 20);
}

TEST_SUITE_END();
