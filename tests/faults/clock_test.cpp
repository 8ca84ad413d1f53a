// The real binary while somebody sets the host's clock: the runs go on, one a period, and what the
// clock has passed over stands in a gap.
#include "tests/faults/agent.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

using namespace sonde;
using tests::FaultyLife;

namespace {

constexpr std::size_t checks = 8;
constexpr std::int64_t period_ms = 1000;
constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::size_t few = 3;  // runs of a check that a busy host, and the end, may cost

/// The wall clock of a program under libfaketime; the clock that is never set goes on as it is.
class SettableClock {
public:
    SettableClock() { set("+0"); }

    /// @param distance from the true time, in seconds and with its sign.
    void set(const std::string& distance) const
    {
        const std::string next = folder_.path("next");
        std::ofstream{next} << distance << '\n';
        std::filesystem::rename(next, folder_.path("distance"));
    }

    std::vector<std::string> environment() const
    {
        const char* asan = std::getenv("ASAN_OPTIONS");
        return {"LD_PRELOAD=/usr/$LIB/faketime/libfaketime.so.1",
            "FAKETIME_TIMESTAMP_FILE=" + folder_.path("distance"), "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            // It wants to be the first library; libfaketime replaces nothing that it does.
            "ASAN_OPTIONS=" + std::string{asan == nullptr ? "" : asan} +
                ":verify_asan_link_order=0"};
    }

private:
    tests::ScratchFolder folder_;
};

/// Some periods before the clock is set and some after.
void live_through(FaultyLife& life, const std::string& distance)
{
    const SettableClock clock;
    life.start(clock.environment());
    const auto more_runs = [&](double periods) {
        const double until = life.metric("sm_agent_scraper_operations_total") + periods * checks;
        tests::await("the checks run:\n" + life.log(),
            [&] { return life.metric("sm_agent_scraper_operations_total") >= until; });
    };
    more_runs(3);
    clock.set(distance);
    tests::await("the step is seen:\n" + life.log(),
        [&] { return life.metric("sonde_schedule_clock_steps_total") == 1; });
    more_runs(4);
    life.await_delivery();
    CHECK(life.metric("sonde_schedule_clock_steps_total") == 1);
    CHECK(life.stop() == 0);
    const auto totals = life.remote.totals();
    CHECK(totals.doubled_samples == 0);
    CHECK(totals.doubled_lines == 0);
    CHECK(totals.conflicting == 0);
}

/// Times of a check's results, those of before and after the step; both have some.
std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> parted(
    const FaultyLife& life, std::size_t check, bool backwards)
{
    std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>> out;
    const auto times = life.remote.samples("probe_success", life.job(check));
    REQUIRE(!times.empty());
    const auto middle = times.begin()->first + hour_ms / 2;
    for (const auto& [at, count] : times)
        ((at < middle) != backwards ? out.first : out.second).push_back(at);
    REQUIRE(!out.first.empty());
    REQUIRE(!out.second.empty());
    return out;
}

/// How many periods have no run, of which all the others have one each.
std::size_t holes(const std::vector<std::int64_t>& times)
{
    CHECK((times.back() - times.front()) % period_ms == 0);
    return static_cast<std::size_t>((times.back() - times.front()) / period_ms) + 1 - times.size();
}

}  // namespace

TEST_SUITE_BEGIN("faults");

TEST_CASE("the clock is set an hour forward: that hour is a gap, and nothing bunches")
{
    FaultyLife life{checks};
    live_through(life, "+3600");
    for (std::size_t check = 1; check <= checks; ++check) {
        const auto [before, after] = parted(life, check, false);
        CHECK(holes(before) + holes(after) <= few);
        CHECK((after.front() - before.back()) % period_ms == 0);
        CHECK(after.front() - before.back() > hour_ms);
    }
    const auto balance = life.balance();
    CHECK(balance.unexplained == 0);
    CHECK(balance.contradicted == 0);
    CHECK(balance.missing >= checks * hour_ms / period_ms);
    CHECK(balance.missing <= checks * (hour_ms / period_ms + few));
}

TEST_CASE("the clock is set an hour back: no run is lost, none comes twice")
{
    FaultyLife life{checks};
    live_through(life, "-3600");
    for (std::size_t check = 1; check <= checks; ++check) {
        const auto [before, after] = parted(life, check, true);
        const auto seam = after.front() + hour_ms - before.back();
        CHECK(seam % period_ms == 0);
        REQUIRE(seam >= period_ms);
        const auto at_seam = static_cast<std::size_t>(seam / period_ms) - 1;
        CHECK(holes(before) + at_seam + holes(after) <= life.missing(check).size());
        CHECK(life.missing(check).size() <= few);
    }
}

TEST_SUITE_END();
