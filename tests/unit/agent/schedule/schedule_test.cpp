// When checks run. What becomes of their results: results_test.cpp.
#include "tests/unit/agent/schedule/schedule_fixture.h"

using namespace sonde;
using tests::ScheduleFixture;
using namespace std::chrono_literals;

namespace {

using Times = std::vector<std::int64_t>;
using Gaps = std::vector<std::string>;

}  // namespace

TEST_SUITE("agent/schedule/schedule")
{
    TEST_CASE_FIXTURE(ScheduleFixture, "a check runs at the points of its grid on the wall clock")
    {
        clocks.pass(1s);
        put(check(1, 10s, 3s));
        advance(1999ms);
        CHECK(runs_of(1).empty());
        advance(1ms);
        CHECK(runs_of(1) == Times{3000});
        advance(10s);
        advance(10'200ms);  // found late: the time it was due counts
        CHECK(runs_of(1) == Times{3000, 13'000, 23'000});
        CHECK(books.gaps.empty());
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "after a restart the due times are the same")
    {
        put(check(1, 10s));
        for (int i = 0; i < 20; ++i)
            advance(500ms);
        clocks.pass(1234ms);
        restart();
        put(check(1, 10s));
        for (int i = 0; i < 20; ++i)
            advance(500ms);
        const auto runs = runs_of(1);
        REQUIRE(runs.size() == 2);
        CHECK((runs[1] - runs[0]) % 10'000 == 0);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "another probe has another offset")
    {
        put(check(1, 1min));
        for (int i = 0; i < 60; ++i)
            advance(1s);
        probe = std::make_shared<pb::Probe>(*probe);
        probe->set_id(8);
        restart();
        put(check(1, 1min));
        for (int i = 0; i < 60; ++i)
            advance(1s);
        const auto runs = runs_of(1);
        REQUIRE(runs.size() == 2);
        CHECK((runs[1] - runs[0]) % 60'000 != 0);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "an offset beyond the period counts modulo the period")
    {
        put(check(1, 10s, 43s));
        advance(3s);
        CHECK(runs_of(1) == Times{3000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a new check far from its grid has one run before")
    {
        clocks.pass(10min);  // its next point is an hour away, or nearly so
        put(check(1, 1h));
        for (int i = 0; i < 120; ++i)
            advance(1s);
        REQUIRE(runs_of(1).size() == 1);
        const auto soon = schedule::stable_offset(1, 1, 7, 2min);
        CHECK(runs_of(1)[0] == (10min + soon) / 1ms);
        advance(48min);
        for (int i = 0; i < 120; ++i)
            advance(1s);
        REQUIRE(runs_of(1).size() == 2);
        CHECK(runs_of(1)[1] == (1h + soon) / 1ms);
        CHECK(books.gaps.empty());
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "that run waits for an offset that is given, if it is short")
    {
        clocks.pass(2s);
        put(check(1, 1h, 1s));
        put(check(2, 1h, 30min));
        advance(1s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(runs_of(2).empty());
        advance(2min);
        CHECK(runs_of(2) == Times{122'000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a check that ran before the restart goes on with its grid")
    {
        books.last_runs[{schedule::Origin::api, 1}] = ms(-59min);
        put(check(1, 1h, 30min));
        advance(29min);
        CHECK(runs_of(1).empty());
        advance(1min);
        CHECK(runs_of(1) == Times{1'800'000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "what was due between two processes is a gap")
    {
        books.last_runs[{schedule::Origin::api, 1}] = ms(-57s);
        put(check(1, 10s, 3s));
        CHECK(gaps() == Gaps{"not_running -47000..-7000 5"});
        advance(3s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(books.gaps.size() == 1);
    }

    TEST_CASE_FIXTURE(
        ScheduleFixture, "a year between two processes is counted, not walked through")
    {
        books.last_runs[{schedule::Origin::api, 1}] = ms(-365 * 24h);
        put(check(1, 1s, 1ms));
        REQUIRE(books.gaps.size() == 1);
        CHECK(books.gaps[0].runs == 365 * 86'400 - 1);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "no gap where nothing was due, nor from a run to come")
    {
        books.last_runs[{schedule::Origin::api, 1}] = ms(-7s);
        books.last_runs[{schedule::Origin::api, 2}] = ms(1h);
        put(check(1, 10s, 3s));
        put(check(2, 10s, 3s));
        put(check(3, 10s, 3s));
        CHECK(books.gaps.empty());
        advance(3s);
        CHECK(runs_of(2) == Times{3000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a version that replaces another has no gap")
    {
        put(check(1, 10s, 3s));
        advance(3s);
        books.last_runs[{schedule::Origin::api, 1}] = ms(-1h);
        put(check(1, 10s, 4s));
        advance(1s);
        CHECK(runs_of(1) == Times{3000, 4000});
        CHECK(books.gaps.empty());
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "what comes due during a run follows it once; more is a gap")
    {
        put(slow_check(1, 10s, 3s));
        advance(3s, 1);
        for (int i = 0; i < 3; ++i)
            advance(10s, 1);
        CHECK(gaps() == Gaps{"overrun 23000..23000 1", "overrun 33000..33000 1"});
        CHECK(metric("sonde_schedule_missed_total") == 2);
        slow.release();
        settle(1);
        CHECK(runs_of(1) == Times{3000});
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000, 13'000});
        CHECK(metric("sonde_schedule_late_total", "previous_run") == 1);
        CHECK(books.gaps.size() == 2);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "runs beyond max_in_flight wait for a place")
    {
        config.max_in_flight = 1;
        restart();
        put(slow_check(1, 1min, 3s));
        put(slow_check(2, 1min, 3s));
        advance(3s, 1);
        advance(5s, 1);
        CHECK(slow.accepted() == 1);
        CHECK(schedule->on_time());
        advance(56s, 1);
        CHECK_FALSE(schedule->on_time());  // for longer than a period
        for (std::size_t served = 2; served <= 4; ++served) {
            slow.release();
            settle(1);
            CHECK(slow.accepted() == served);
        }
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000, 63'000});
        CHECK(runs_of(2) == Times{3000, 63'000});
        CHECK(books.published[1].payload.run_of->id == 2);  // in turn
        CHECK(metric("sonde_schedule_late_total", "in_flight") == 1);
        CHECK(metric("sonde_schedule_late_total", "previous_run") == 2);
        CHECK(metric("sonde_schedule_late_total") == 3);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "no more than starts_per_tick begin at once")
    {
        config.starts_per_tick = 1;
        restart();
        for (int id = 1; id <= 40; ++id)
            put(check(id, 1min, 3s));
        advance(3s - 1ms);
        clocks.each_look = 100us;  // so that ticks are some tenths of a millisecond apart
        until([&] { return books.published.size() == 40; });
        clocks.each_look = 0ms;
        for (int id = 1; id <= 40; ++id)
            CHECK(runs_of(id) == Times{3000});
        CHECK(metric("sonde_schedule_late_total", "starts_per_tick") > 10);
        CHECK(metric("sonde_schedule_late_total", "loop") == 0);
        CHECK(metric("sonde_schedule_late_total", "in_flight") == 0);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "runs that were found to be due late are counted so")
    {
        put(check(1, 10s, 3s));
        advance(3001ms);
        CHECK(metric("sonde_schedule_late_total") == 0);
        advance(10'010ms);
        CHECK(metric("sonde_schedule_late_total", "loop") == 1);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "asleep for an hour: one run now, the others are a gap")
    {
        put(check(1, 10s, 3s));
        advance(3s);
        advance(1h);
        CHECK(runs_of(1) == Times{3000, 3'603'000});
        CHECK(gaps() == Gaps{"not_running 13000..3593000 359"});
        CHECK(metric("sonde_schedule_skipped_total") == 359);
        CHECK(metric("sonde_schedule_clock_steps_total") == 0);
        advance(10s);
        CHECK(runs_of(1) == Times{3000, 3'603'000, 3'613'000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "asleep during a run: what waits and what is lost")
    {
        put(slow_check(1, 10s, 3s));
        advance(3s, 1);
        advance(30s, 1);
        CHECK(gaps() == Gaps{"not_running 13000..23000 2"});
        slow.release();
        settle(1);
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000, 33'000});
    }

    TEST_CASE_FIXTURE(
        ScheduleFixture, "the wall clock is set: runs stay apart, and nothing bunches")
    {
        const std::chrono::milliseconds sizes[] = {
            1h, -1h, 1h + 3700ms, -1h - 3700ms, 4s, -4s, 24h};
        for (std::int64_t id = 1; id <= 20; ++id)
            put(check(id, 10s));
        double steps = 0;
        for (const auto size : sizes) {
            for (int i = 0; i < 137; ++i)
                advance(100ms);
            clocks.wall += size;
            settle();
            CHECK(metric("sonde_schedule_clock_steps_total") == ++steps);
        }
        for (int i = 0; i < 150; ++i)
            advance(100ms);
        std::map<schedule::CheckKey, std::vector<std::chrono::nanoseconds>> at;
        std::map<std::chrono::nanoseconds, int> crowd;
        for (const auto& entry : books.published) {
            at[*entry.payload.run_of].push_back(entry.at);
            ++crowd[entry.at];
        }
        for (std::int64_t id = 1; id <= 20; ++id) {
            CAPTURE(id);
            const auto& times = at[{schedule::Origin::api, id}];
            for (std::size_t i = 1; i < times.size(); ++i) {
                CHECK((times[i] - times[i - 1] >= 4900ms));
                CHECK((times[i] - times[i - 1] <= 15'100ms));
            }
            const auto grid = schedule::grid_of(check(id, 10s), 7, 2min);
            CHECK((grid.offset.count() == (runs_of(id).back() + schedule::to_ms(start)) % 10'000));
        }
        for (const auto& [when, together] : crowd)
            CHECK(together <= 4);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a wall clock that is slewed, or set by little, is no step")
    {
        put(check(1, 10s, 3s));
        clocks.wall += 80ms;
        advance(3s - 1ms);
        CHECK(runs_of(1).empty());
        advance(1ms);
        CHECK(runs_of(1) == Times{3000});
        CHECK(metric("sonde_schedule_clock_steps_total") == 0);
        clocks.wall -= 160ms;
        advance(10s);
        CHECK(runs_of(1) == Times{3000, 13'000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a step leaves out points of the wall clock: they are a gap")
    {
        put(check(1, 10s, 3s));
        advance(3s);
        clocks.wall += 1h;
        settle();
        CHECK(gaps() == Gaps{"not_running 13000..3603000 360"});
        advance(10s);
        CHECK(runs_of(1) == Times{3000, 3'613'000});
    }

    TEST_CASE("what came due before the clock is set keeps its name")
    {
        const std::chrono::nanoseconds sizes[] = {1h, 1h + 4s, 1h - 1us, 10s, 4s};
        const char* const left_out[] = {"not_running 13000..3603000 360",
            "not_running 13000..3603000 360", "not_running 13000..3603000 360",
            "not_running 13000..13000 1", ""};
        for (std::size_t i = 0; i < std::size(sizes); ++i) {
            CAPTURE(i);
            ScheduleFixture life;
            life.put(life.check(1, 10s, 3s));
            life.clocks.wall += sizes[i];
            life.advance(3s);
            CHECK(life.gaps() == (*left_out[i] == '\0' ? Gaps{} : Gaps{left_out[i]}));
            CHECK(life.runs_of(1) == Times{3000});
            life.advance(10s);
            life.advance(10s);
            CHECK(life.runs_of(1).size() == 3);
        }
    }

    TEST_CASE_FIXTURE(
        ScheduleFixture, "the clock is set while one run is under way and one waits for it")
    {
        put(slow_check(1, 10s, 3s));
        advance(3s, 1);
        advance(10s, 1);
        advance(10s, 1);
        CHECK(gaps() == Gaps{"overrun 23000..23000 1"});
        clocks.wall += 1h;
        settle(1);
        CHECK(schedule->on_time());
        CHECK(gaps() == Gaps{"overrun 23000..23000 1", "not_running 33000..3623000 360"});
        slow.release();
        settle(1);
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000, 13'000});
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "ten thousand checks are put, replaced and known")
    {
        for (int round = 0; round < 2; ++round)
            for (std::int64_t id = 1; id <= 10'000; ++id)
                put(check(id, 1h, 1h - 1ms));
        CHECK(schedule->size() == 10'000);
        CHECK(schedule->known(schedule::Origin::api).size() == 10'000);
        CHECK(schedule->known(schedule::Origin::file).empty());
        CHECK(metric("sm_agent_updater_scrapers_total") == 10'000);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "a check of an unknown kind is known and never runs")
    {
        auto unknown = check(1, 10s, 3s);
        unknown.clear_settings();
        put(unknown);
        advance(1min);
        CHECK(schedule->size() == 1);
        CHECK(books.published.empty());
        remove(1);
        CHECK(schedule->size() == 0);
    }

    TEST_CASE_FIXTURE(ScheduleFixture, "other options leave what is on schedule undisturbed")
    {
        config.max_in_flight = 1;
        restart();
        put(slow_check(1, 10s, 3s));
        put(slow_check(2, 10s, 3s));
        advance(3s, 1);
        config.max_in_flight = 2;
        config.start_spread = 1s;
        checkers.tcp_phases = true;
        schedule->reconfigure(config, checkers, egress);
        settle(2);
        CHECK(slow.accepted() == 2);  // there is a place for the other now
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000});
        CHECK(runs_of(2) == Times{3000});
        put(check(3, 10s, 4s));
        advance(1s);
        CHECK(runs_of(3) == Times{4000});
        constexpr std::string_view phases = "probe_tcp_duration_seconds";
        CHECK_FALSE(tests::has_series(books.published.front().payload, phases));
        CHECK(tests::has_series(books.published.back().payload, phases));
        slow.hold = false;
        advance(9s);
        CHECK(runs_of(1) == Times{3000, 13'000});
        CHECK(books.gaps.empty());
    }
}
