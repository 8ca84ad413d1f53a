#include "agent/schedule/timetable.h"

#include <doctest/doctest.h>

#include <map>

using namespace sonde::schedule;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

const Time start{1'767'268'800s};

std::vector<std::uint64_t> jobs(const std::vector<Timetable::Due>& due)
{
    std::vector<std::uint64_t> out;
    for (const auto& each : due)
        out.push_back(each.job);
    return out;
}

Grid through(Time point, milliseconds period)
{
    return Grid::through(point, period);
}

}  // namespace

TEST_SUITE("agent/schedule/timetable")
{
    using Jobs = std::vector<std::uint64_t>;

    TEST_CASE("due times stay on the grid, however late they are served")
    {
        Timetable table;
        table.put(1, start + 10ms, through(start + 10ms, 100ms));
        CHECK(table.take_due(start + 9ms).empty());
        const auto first = table.take_due(start + 60ms);
        REQUIRE(first.size() == 1);
        CHECK((first[0] == Timetable::Due{1, start + 10ms}));
        CHECK((table.next() == start + 110ms));
    }

    TEST_CASE("of several due times that have passed the last is told, the others are missed")
    {
        Timetable table;
        table.put(1, start, through(start, 100ms));
        const auto due = table.take_due(start + 350ms);
        REQUIRE(due.size() == 1);
        CHECK((due[0] == Timetable::Due{1, start + 300ms, {start, start + 200ms, 3}}));
        CHECK((table.next() == start + 400ms));
    }

    TEST_CASE("a single one that was missed")
    {
        Timetable table;
        table.put(1, start, through(start, 100ms));
        const auto due = table.take_due(start + 100ms);
        REQUIRE(due.size() == 1);
        CHECK((due[0] == Timetable::Due{1, start + 100ms, {start, start, 1}}));
    }

    TEST_CASE("the first time may be off the grid, and be missed")
    {
        Timetable table;
        table.put(1, start + 30ms, through(start, 100ms));
        CHECK((table.take_due(start + 30ms) == std::vector{Timetable::Due{1, start + 30ms}}));
        CHECK((table.next() == start + 100ms));
        table.put(1, start + 130ms, through(start, 100ms));
        const auto due = table.take_due(start + 310ms);
        CHECK((due ==
               std::vector{Timetable::Due{1, start + 300ms, {start + 130ms, start + 200ms, 2}}}));
    }

    TEST_CASE("jobs come in the order of their due times; removed ones do not")
    {
        Timetable table;
        table.put(1, start + 20ms, through(start + 20ms, 1s));
        table.put(2, start + 10ms, through(start + 10ms, 1s));
        table.put(3, start + 15ms, through(start + 15ms, 1s));
        table.remove(3);
        CHECK(jobs(table.take_due(start + 30ms)) == Jobs{2, 1});
        CHECK((table.next(3) == Time::max()));
    }

    TEST_CASE("due times are whole milliseconds")
    {
        Timetable table;
        table.put(1, start + 1ns, through(start, 10ms));
        CHECK((table.next() == start + 1ms));
    }

    // Runs before and after a step, of jobs that differ in when their grid has points: none comes
    // too early or too late as the time that really passes has it, and no two of a spread set meet.
    TEST_CASE("after a step all are on their grids again, evenly spaced")
    {
        constexpr milliseconds period = 1s;
        for (const milliseconds size : {100ms, 499ms, 500ms, 501ms, 900ms, 1000ms, 3'600'250ms,
                 -100ms, -499ms, -500ms, -501ms, -900ms, -1000ms, -3'600'250ms}) {
            CAPTURE(size.count());
            Timetable table;
            for (std::uint64_t job = 0; job < 100; ++job)
                table.put(job, start + job * 10ms + 1ms, Grid{period, job * 10ms + 1ms});
            const auto stepped_at = start + 1435ms;           // of the time that really passes
            std::map<std::uint64_t, std::vector<Time>> runs;  // in that time
            auto serve = [&](Time from, Time to, milliseconds ahead) {
                for (Time now = from; now < to; now += 1ms)
                    for (const auto& due : table.take_due(now + ahead)) {
                        CHECK(due.missed.times == 0);
                        runs[due.job].push_back(now);
                    }
            };
            serve(start, stepped_at, 0ms);
            table.step(size, stepped_at + size);
            serve(stepped_at, stepped_at + 4s, size);
            std::map<Time, int> crowd;
            for (const auto& [job, times] : runs) {
                CAPTURE(job);
                for (std::size_t i = 1; i < times.size(); ++i) {
                    CHECK((times[i] - times[i - 1] >= period / 2));
                    CHECK((times[i] - times[i - 1] <= period * 3 / 2));
                }
                CHECK((Grid{period, job * 10ms + 1ms}.not_after(times.back() + size) ==
                       times.back() + size));
                for (const Time time : times)
                    ++crowd[time];
            }
            for (const auto& [time, together] : crowd)
                CHECK(together <= 2);
        }
    }

    TEST_CASE("a step tells which points of the wall clock were left out")
    {
        Timetable table;
        table.put(1, start, through(start, 100ms));
        table.take_due(start);
        const auto forward = table.step(1h, start + 1h + 10ms);
        REQUIRE(forward.size() == 1);
        CHECK(forward[0].job == 1);
        CHECK((forward[0].missed == Timetable::Missed{start + 100ms, start + 1h, 36'000}));
        CHECK((table.next() == start + 1h + 100ms));
        CHECK(table.step(-1h, start + 20ms).empty());
        CHECK((table.next() == start + 100ms));
    }

    TEST_CASE("a first time off the grid is kept through a step")
    {
        Timetable table;
        table.put(1, start + 30s, through(start + 20min, 1h));
        table.step(10min, start + 10min);
        CHECK((table.next() == start + 10min + 30s));
        table.take_due(start + 10min + 30s);
        CHECK((table.next() == start + 80min));
    }
}
