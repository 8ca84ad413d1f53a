// What becomes of runs: results, repetitions, ends of series, gaps. When they run:
// schedule_test.cpp.
#include "tests/unit/agent/schedule/schedule_fixture.h"

#include <random>
#include <set>

using namespace sonde;
using tests::ScheduleFixture;
using namespace std::chrono_literals;

namespace {

using Times = std::vector<std::int64_t>;
using Gaps = std::vector<std::string>;

struct RunningFixture : ScheduleFixture {
    /// All that was published: "run 3000", "again 123000", "end 123001".
    std::vector<std::string> story() const
    {
        std::vector<std::string> out;
        for (const auto& [payload, at] : books.published) {
            const auto* const what = payload.run_of           ? "run"
                                     : tests::is_end(payload) ? "end"
                                                              : "again";
            out.push_back(
                fmt::format("{} {}", what, payload.timestamp_ms - schedule::to_ms(start)));
            CHECK(payload.logs.has_value() == payload.run_of.has_value());
            CHECK(payload.values.size() == payload.series->size());
        }
        return out;
    }
};

using Story = std::vector<std::string>;

}  // namespace

TEST_SUITE("agent/schedule/running")
{
    TEST_CASE_FIXTURE(RunningFixture, "failed and passed runs are published alike")
    {
        auto refused = check(1, 10s, 3s);
        refused.set_target("127.0.0.1:1");
        put(refused);
        put(check(2, 10s, 4s));
        advance(4s);
        CHECK(runs_of(1) == Times{3000});
        CHECK(runs_of(2) == Times{4000});
        CHECK(metric("sm_agent_scraper_errors_total", "check") == 1);
        CHECK(metric("sm_agent_scraper_operations_total") == 2);
    }

    TEST_CASE_FIXTURE(RunningFixture, "a check that is removed has its series ended")
    {
        put(check(1, 10s, 3s));
        advance(3s);
        advance(1s);
        remove(1);
        CHECK(story() == Story{"run 3000", "end 3001"});
        advance(1min);
        CHECK(story().size() == 2);
    }

    TEST_CASE_FIXTURE(RunningFixture, "one that has not run has none")
    {
        put(check(1, 10s, 3s));
        remove(1);
        advance(1min);
        CHECK(books.published.empty());
        CHECK(books.gaps.empty());
    }

    TEST_CASE_FIXTURE(RunningFixture, "removed during a run: the run is completed, then the end")
    {
        put(slow_check(1, 10s, 3s));
        advance(3s, 1);
        advance(10s, 1);
        remove(1);
        CHECK(books.published.empty());
        CHECK(gaps() == Gaps{"overrun 13000..13000 1"});
        slow.release();
        settle();
        CHECK(story() == Story{"run 3000", "end 3001"});
    }

    TEST_CASE_FIXTURE(RunningFixture, "replaced during a run: both versions run, each on its own")
    {
        put(slow_check(1, 10s, 3s));
        advance(3s, 1);
        auto next = check(1, 10s, 5s);
        next.set_modified(2);
        put(next);
        advance(2s, 1);
        CHECK(runs_of(1) == Times{5000});
        slow.release();
        settle();
        CHECK(story() == Story{"run 5000", "run 3000", "end 3001"});
        CHECK(schedule->size() == 1);
        advance(10s);
        CHECK(runs_of(1) == Times{5000, 3000, 15'000});
    }

    TEST_CASE_FIXTURE(RunningFixture, "removed while waiting for a place: the run is a gap")
    {
        config.max_in_flight = 1;
        restart();
        put(slow_check(1, 1min, 3s));
        put(slow_check(2, 1min, 4s));
        advance(3s, 1);
        advance(1s, 1);
        remove(2);
        CHECK(gaps() == Gaps{"removed 4000..4000 1"});
        slow.release();
        settle();
        CHECK(story() == Story{"run 3000"});
    }

    TEST_CASE_FIXTURE(RunningFixture, "what was due before the moment of removal is accounted for")
    {
        put(check(1, 10s, 3s));
        clocks.pass(25s);
        remove(1);
        CHECK(gaps() == Gaps{"not_running 3000..13000 2", "removed 23000..23000 1"});
        settle();
        CHECK(books.published.empty());
    }

    TEST_CASE_FIXTURE(RunningFixture, "results of slow checks are repeated; the end comes after")
    {
        put(check(1, 10min, 3s));
        advance(3s);
        for (int i = 0; i < 9; ++i)
            advance(30s);
        CHECK(story() == Story{"run 3000", "again 123000", "again 243000"});
        CHECK(books.published[1].payload.values == books.published[0].payload.values);
        remove(1);
        CHECK(story().back() == "end 243001");
    }

    TEST_CASE_FIXTURE(RunningFixture, "those of quick checks are not")
    {
        put(check(1, 2min, 3s));
        advance(3s);
        for (int i = 0; i < 119; ++i)
            advance(1s);
        CHECK(story() == Story{"run 3000"});
    }

    TEST_CASE_FIXTURE(RunningFixture, "no repetition close to a run, before it or after")
    {
        put(shifted(check(1, 125s), start + 3s));
        advance(3s);
        advance(120s);  // 5 s before the next run
        CHECK(story() == Story{"run 3000"});
        advance(5s);
        advance(115s);
        CHECK(story() == Story{"run 3000", "run 128000", "again 243000"});
        remove(1);
        books.published.clear();
        put(shifted(slow_check(2, 121s), start + 246s));
        advance(3s, 1);
        advance(4s, 1);
        slow.release();
        settle();  // its results are to be repeated every two minutes from here, at 250 s
        advance(117s, 1);
        slow.release();
        settle();
        advance(3s);  // 3 s after the run
        CHECK(story() == Story{"run 246000", "run 367000"});
    }

    TEST_CASE_FIXTURE(RunningFixture, "no repetition during a run")
    {
        put(slow_check(1, 5min, 3s));
        advance(3s, 1);
        slow.release();
        settle();
        advance(5min, 1);  // asleep: run and repetition are due at once
        for (int i = 0; i < 12; ++i)
            advance(20s, 1);
        CHECK(story() == Story{"run 3000"});
        slow.release();
        settle();
        CHECK(runs_of(1) == Times{3000, 303'000});
    }

    TEST_CASE_FIXTURE(
        RunningFixture, "after a run that the agent could not make nothing is repeated")
    {
        put(check(1, 5min, 3s));
        advance(3s);
        tenants.missing = true;
        for (int i = 0; i < 50; ++i)
            advance(10s);
        CHECK(story() == Story{"run 3000", "again 123000", "again 243000"});
        CHECK(gaps() == Gaps{"no_tenant 303000..303000 1"});
        CHECK(metric("sm_agent_scraper_errors_total", "collector") == 1);
        remove(1);
        CHECK(story().size() == 3);  // nor ended: the series went stale by themselves
    }

    TEST_CASE_FIXTURE(RunningFixture, "somebody is told of the runs that have a result, no others")
    {
        std::vector<std::pair<std::int64_t, exporters::TenantKey>> told;
        schedule->tell([&](const pb::Check& ran, exporters::TenantKey tenant, double seconds) {
            CHECK(seconds > 0);
            told.emplace_back(ran.id(), tenant);
        });
        put(check(1, 10s, 3s));
        advance(3s);
        tenants.missing = true;
        advance(10s);
        tenants.missing = false;
        advance(10s);
        const std::pair<std::int64_t, exporters::TenantKey> one{1, {schedule::Origin::api, 1}};
        CHECK((told == std::vector{one, one}));
        CHECK(runs_of(1) == Times{3000, 23'000});
    }

    TEST_CASE_FIXTURE(RunningFixture, "the last results, as long as they tell of the targets")
    {
        put(check(1, 10s, 3s));
        put(check(2, 10s, 4s));
        put(check(3, 1h, 30min));
        advance(3s);
        advance(1s);
        auto results = schedule->last_results();
        REQUIRE(results.size() == 2);
        CHECK(results[0].timestamp_ms == ms(3s));
        CHECK(results[1].timestamp_ms == ms(4s));
        CHECK(results[0].values == books.published[0].payload.values);
        CHECK_FALSE(results[0].logs.has_value());
        tenants.throws = true;
        advance(9s);
        results = schedule->last_results();
        REQUIRE(results.size() == 1);
        CHECK(results[0].timestamp_ms == ms(4s));
    }

    TEST_CASE_FIXTURE(RunningFixture, "republish_every may change")
    {
        put(check(1, 10min, 3s));
        advance(3s);
        config.republish_every = 1min;
        schedule->reconfigure(config, checkers, egress);
        advance(1min);
        CHECK(story() == Story{"run 3000", "again 63000"});
        config.republish_every = 10min;
        schedule->reconfigure(config, checkers, egress);
        for (int i = 0; i < 8; ++i)
            advance(1min);
        CHECK(story().size() == 2);
    }

    TEST_CASE_FIXTURE(RunningFixture, "more labels than the tenant may have: the check is not run")
    {
        tenants.known.max_metric_labels = 3;
        put(check(1, 10s, 3s));
        advance(3s);
        CHECK(gaps() == Gaps{"too_many_labels 3000..3000 1"});
        CHECK(target.accepted() == 0);
        tenants.known.max_metric_labels = 22;
        advance(10s);
        CHECK(runs_of(1) == Times{13'000});
    }

    TEST_CASE_FIXTURE(RunningFixture, "an exception costs one run, neither the check nor its end")
    {
        put(check(1, 10s, 3s));
        advance(3s);
        tenants.throws = true;
        advance(10s);
        CHECK(gaps() == Gaps{"internal 13000..13000 1"});
        CHECK(metric("sm_agent_scraper_errors_total", "collector") == 1);
        tenants.throws = false;
        advance(10s);
        CHECK(runs_of(1) == Times{3000, 23'000});
        tenants.throws = true;
        advance(10s);
        remove(1);
        CHECK(story().back() == "end 23001");
    }

    TEST_CASE_FIXTURE(RunningFixture, "at the end of the process all that is due is a gap")
    {
        config.max_in_flight = 2;
        restart();
        put(check(1, 1min, 1s));
        put(slow_check(2, 10s, 3s));
        put(slow_check(3, 1min, 3s));
        put(slow_check(4, 1min, 4s));
        advance(1s);
        advance(2s, 2);
        advance(10s, 2);
        clocks.pass(10s);  // due, and not yet looked at
        stop();
        CHECK(runs_of(1) == Times{1000});
        CHECK(story() == Story{"run 1000"});  // no series ends: the next process goes on with them
        std::multiset<std::string> all;
        for (const auto& gap : gaps())
            all.insert(gap);
        CHECK(all == std::multiset<std::string>{"overrun 23000..23000 1", "stopped 13000..13000 1",
                         "stopped 3000..3000 1", "stopped 3000..3000 1", "stopped 4000..4000 1"});
        put(check(5, 10s, 3s));
        CHECK(schedule->size() == 4);
        remove(1);
        CHECK(books.published.size() == 1);
    }
}

namespace {

/// Puts, removes, lets time pass, stops the machine and the process, at random but the same every
/// time; keeps the due times by the rule of the specification.
struct LedgerFixture : ScheduleFixture {
    struct Version {
        pb::Check check;
        schedule::Time put;
    };
    std::map<std::int64_t, Version> on;
    std::map<std::int64_t, std::multiset<std::int64_t>> due;
    std::mt19937 engine{7};

    int random(int below) { return static_cast<int>(engine() % static_cast<unsigned>(below)); }

    void close(std::int64_t id, schedule::Time until)
    {
        const auto gone = on.extract(id);
        const Version& version = gone.mapped();
        const auto grid = schedule::grid_of(version.check, 7, config.start_spread);
        for (auto at = grid.after(version.put); at <= until; at += grid.period)
            due[id].insert(schedule::to_ms(at));
    }
    void put_one()
    {
        const std::int64_t id = 1 + random(12);
        if (on.contains(id))
            close(id, now());
        const std::chrono::milliseconds period{1000 + 500 * random(12)};
        const auto it = id % 3 == 0 ? slow_check(id, period) : check(id, period);
        on[id] = {it, now()};
        put(it);
    }
    void remove_one()
    {
        const std::int64_t id = 1 + random(12);
        if (on.contains(id))
            close(id, now());
        remove(id);
    }
    void end()
    {
        while (!on.empty())
            close(on.begin()->first, now());
    }

    /// Every due time that is published or in a gap, as often as it is.
    std::map<std::int64_t, std::multiset<std::int64_t>> accounted() const
    {
        std::map<std::int64_t, std::multiset<std::int64_t>> out;
        for (const auto& entry : books.published)
            if (entry.payload.run_of)
                out[entry.payload.run_of->id].insert(entry.payload.timestamp_ms);
        for (const auto& gap : books.gaps) {
            const auto step =
                gap.runs > 1 ? (gap.to_ms - gap.from_ms) / static_cast<std::int64_t>(gap.runs - 1)
                             : 1;
            std::uint64_t runs = 0;
            for (auto at = gap.from_ms; at <= gap.to_ms; at += step, ++runs)
                out[gap.check->id].insert(at);
            CHECK(runs == gap.runs);
        }
        return out;
    }
};

}  // namespace

TEST_SUITE("agent/schedule/ledger")
{
    TEST_CASE_FIXTURE(LedgerFixture, "every due time is published, or in exactly one gap")
    {
        config.max_in_flight = 3;
        config.starts_per_tick = 2;
        restart();
        for (int round = 0; round < 400; ++round) {
            switch (random(8)) {
            case 0:
            case 1:
                put_one();
                break;
            case 2:
                remove_one();
                break;
            case 3:
                slow.release();
                break;
            case 4:
                tenants.missing = random(4) == 0;
                break;
            case 5:
                tenants.throws = random(4) == 0;
                break;
            case 6:
                clocks.pass(std::chrono::milliseconds{random(20'000)});
                break;
            default:
                clocks.pass(std::chrono::milliseconds{random(900)});
            }
            const auto enough = clocks.looks + static_cast<unsigned>(random(4));
            until([&] { return clocks.looks >= enough; });
        }
        end();
        stop();
        CHECK(books.published.size() > 100);
        CHECK(books.gaps.size() > 100);
        std::set<exporters::GapReason> reasons;
        for (const auto& gap : books.gaps)
            reasons.insert(gap.reason);
        CHECK(reasons.size() == 6);
        const auto got = accounted();
        for (const auto& [id, times] : due) {
            CAPTURE(id);
            CHECK(got.at(id) == times);
        }
        CHECK(got.size() == due.size());
    }
}
