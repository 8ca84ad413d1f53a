#include "agent/schedule/timetable.h"

#include <doctest/doctest.h>

#include <set>

using namespace sonde::schedule;
using namespace std::chrono_literals;

namespace {

const Timetable::Time start = Timetable::Time{} + 1h;

std::vector<std::uint64_t> jobs(const std::vector<Timetable::Due>& due)
{
    std::vector<std::uint64_t> out;
    for (const auto& each : due)
        out.push_back(each.job);
    return out;
}

}  // namespace

TEST_SUITE("agent/schedule/timetable")
{
    using Jobs = std::vector<std::uint64_t>;

    TEST_CASE("due times stay on the grid, however late they are served")
    {
        Timetable table;
        table.put(1, start + 10ms, 100ms);
        CHECK(table.take_due(start + 9ms).empty());
        const auto first = table.take_due(start + 60ms);
        REQUIRE(first.size() == 1);
        CHECK((first[0].at == start + 10ms));
        CHECK((table.next() == start + 110ms));
    }

    TEST_CASE("of several missed times the first is told, the rest are dropped")
    {
        Timetable table;
        table.put(1, start, 100ms);
        const auto due = table.take_due(start + 350ms);
        REQUIRE(due.size() == 1);
        CHECK((due[0].at == start));
        CHECK((table.next() == start + 400ms));
    }

    TEST_CASE("jobs come in the order of their due times; removed ones do not")
    {
        Timetable table;
        table.put(1, start + 20ms, 1s);
        table.put(2, start + 10ms, 1s);
        table.put(3, start + 15ms, 1s);
        table.remove(3);
        CHECK(jobs(table.take_due(start + 30ms)) == Jobs{2, 1});
        CHECK((table.next(3) == Timetable::Time::max()));
    }

    TEST_CASE("due times are whole milliseconds")
    {
        Timetable table;
        table.put(1, start + 1ns, 10ms);
        CHECK((table.next() == start + 1ms));
    }

    TEST_CASE("offsets are stable, in range and spread")
    {
        std::set<long> seen;
        for (std::int64_t id = 1; id <= 1000; ++id) {
            const auto offset = stable_offset(id, 7, 1000ms);
            CHECK(offset >= 0ms);
            CHECK(offset < 1000ms);
            CHECK((offset == stable_offset(id, 7, 1000ms)));
            seen.insert(offset.count());
        }
        CHECK(seen.size() > 500);
        CHECK((stable_offset(1, 1, 0ms) == 0ms));
    }
}
