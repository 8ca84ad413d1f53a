#include "agent/schedule/grid.h"

#include <doctest/doctest.h>

#include <set>

using namespace sonde;
using namespace sonde::schedule;
using namespace std::chrono_literals;

namespace {

const Time noon{1'767'268'800s};  // 2026-01-01 12:00 UTC

pb::Check check_of(std::chrono::milliseconds period, std::chrono::milliseconds offset = 0ms)
{
    pb::Check check;
    check.set_id(17);
    check.set_tenantid(3);
    check.set_frequency(period.count());
    check.set_offset(offset.count());
    return check;
}

}  // namespace

TEST_SUITE("agent/schedule/grid")
{
    TEST_CASE("points before, at and after a time")
    {
        const Grid grid{10s, 3s};
        CHECK((grid.after(noon) == noon + 3s));
        CHECK((grid.after(noon + 3s) == noon + 13s));
        CHECK((grid.after(noon + 3s - 1ns) == noon + 3s));
        CHECK((grid.not_before(noon + 3s) == noon + 3s));
        CHECK((grid.not_before(noon + 3s + 1ns) == noon + 13s));
        CHECK((grid.not_after(noon + 3s) == noon + 3s));
        CHECK((grid.not_after(noon + 3s - 1ns) == noon - 7s));
    }

    TEST_CASE("before the epoch the grid is the same")
    {
        const Grid grid{10s, 3s};
        CHECK((grid.not_after(Time{} - 1ms) == Time{} - 7s));
        CHECK((grid.after(Time{} - 8s) == Time{} - 7s));
    }

    TEST_CASE("points are counted from the first to before the last")
    {
        const Grid grid{10s, 3s};
        CHECK(grid.points(noon, noon) == 0);
        CHECK(grid.points(noon + 1s, noon) == 0);
        CHECK(grid.points(noon, noon + 3s) == 0);
        CHECK(grid.points(noon, noon + 3s + 1ns) == 1);
        CHECK(grid.points(noon + 3s, noon + 13s) == 1);
        CHECK(grid.points(noon, noon + 24h) == 8640);
    }

    TEST_CASE("a grid through a point has it")
    {
        const Grid grid = Grid::through(noon + 1234ms, 7s);
        CHECK((grid.not_after(noon + 1234ms) == noon + 1234ms));
        CHECK((grid.offset < 7s));
    }

    TEST_CASE("an offset that is given is used as it is, modulo the period")
    {
        CHECK((grid_of(check_of(10s, 3s), 1, 2min).offset == 3s));
        CHECK((grid_of(check_of(10s, 23s), 1, 2min).offset == 3s));
        CHECK((grid_of(check_of(1h, 59min), 1, 2min).offset == 59min));
    }

    TEST_CASE("an offset that is not given is stable, below the period and the spread")
    {
        const Grid grid = grid_of(check_of(1h), 1, 2min);
        CHECK((grid.offset == grid_of(check_of(1h), 1, 2min).offset));
        CHECK((grid.offset < 2min));
        CHECK((grid_of(check_of(5s), 1, 2min).offset < 5s));
        CHECK((grid_of(check_of(1h), 1, 0s).offset == 0s));
        CHECK((grid_of(check_of(0ms), 1, 2min).period == 1ms));
    }

    TEST_CASE("stable offsets are spread over checks, tenants and probes")
    {
        std::set<long> seen[3];
        for (std::int64_t i = 1; i <= 1000; ++i) {
            seen[0].insert(stable_offset(i, 7, 1, 1000ms).count());
            seen[1].insert(stable_offset(7, i, 1, 1000ms).count());
            seen[2].insert(stable_offset(7, 1, i, 1000ms).count());
        }
        for (const auto& offsets : seen) {
            CHECK(offsets.size() > 500);
            CHECK(*offsets.begin() >= 0);
            CHECK(*offsets.rbegin() < 1000);
        }
        CHECK((stable_offset(1, 2, 3, 1h) != stable_offset(3, 2, 1, 1h)));
        CHECK((stable_offset(1, 1, 1, 0ms) == 0ms));
    }
}
