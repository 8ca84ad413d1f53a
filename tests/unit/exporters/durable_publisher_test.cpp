// The publisher with a journal: restarts, and outages longer than memory.
#include "tests/unit/exporters/durable_fixture.h"

#include <algorithm>

using namespace sonde;
using namespace sonde::exporters;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("exporters/durable_publisher");

TEST_CASE_FIXTURE(
    DurableFixture, "with a journal everything arrives, once, and nothing waits afterwards")
{
    for (const auto sync_every : {0ms, 1ms, 1000ms}) {
        CAPTURE(sync_every.count());
        journal.sync_every = sync_every;
        stored.clear();
        told.clear();
        open();
        publish_many(0, 100, true);
        until([&] { return all_delivered(); });
        CHECK(samples_stored() == 100);
        CHECK(stored.size() == 200);
        CHECK(doubled() == 0);
        CHECK(metric("sonde_journal_bytes") > 0);
        CHECK(metric("sonde_journal_segments") >= 1);
        end(1s);
        open();
        CHECK(backlog() == 0);
        end(1s);
    }
}

TEST_CASE_FIXTURE(
    DurableFixture, "killed in the middle of an outage, its next life delivers everything")
{
    refuse_all(503);
    open();
    publish_many(0, 120, true);
    until_written();
    kill();
    pushes.clear();
    open();
    CHECK(backlog() == 240);
    CHECK(publisher->last_run({Origin::file, 2}) == 119'000);
    publish_many(120, 130, true);
    take_all();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 130);
    CHECK(stored.size() == 260);
    CHECK(doubled() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_CASE_FIXTURE(
    DurableFixture, "killed while it delivers: at most what was under way comes twice")
{
    open();
    config.request_bytes = 300;
    publisher->reconfigure(config, journal);
    publish_many(0, 60, true);
    until_written();
    until([&] { return samples_stored() > 20; });
    kill();
    open();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 60);
    CHECK(stored.size() == 120);
    CHECK(metric("sm_agent_publisher_drop_total") == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "what cannot be sent before the end stays in the journal")
{
    refuse_all(503);
    open();
    publish_many(0, 50, true);
    end(50ms);
    take_all();
    open();
    CHECK(backlog() == 100);
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 50);
    CHECK(doubled() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_CASE_FIXTURE(
    DurableFixture, "an outage longer than memory: the newest arrives first, then all")
{
    config.max_queue_bytes = 600;
    config.request_bytes = 200;
    refuse_all(503);
    open();
    publish_many(0, 300);
    until_written();
    until([&] { return backlog() > 250; });
    CHECK(metric("sonde_publisher_queue_bytes", {{"type", "metrics"}}) <= 600);
    CHECK(metric("sonde_publisher_backlog_bytes") > 0);
    take_all();
    pushes.clear();
    until([&] { return !stored.empty(); });
    CHECK(stored.begin()->first.time_ms > 200'000);
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 300);
    CHECK(doubled() == 0);
    CHECK(lost() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "the backlog goes in order")
{
    refuse_all(503);
    open();
    publish_many(0, 200);
    end(0ms);
    config.request_bytes = 300;
    take_all();
    open();
    pushes.clear();
    until([&] { return all_delivered(); });
    std::int64_t last = -1;
    for (const Push& push : pushes)
        for (const Arrived& each : push.content) {
            CHECK(each.time_ms > last);
            last = each.time_ms;
        }
}

TEST_CASE_FIXTURE(DurableFixture,
    "a remote that takes nothing older than what it has: learned once, then in order")
{
    std::map<std::string, std::int64_t> newest;
    const auto strict = [&](const Push& push) {
        if (push.type == Type::logs)
            return Reply{};
        auto after = newest;
        for (const Arrived& each : push.content) {
            const auto [at, is_first] = after.try_emplace(each.of, each.time_ms);
            if (!is_first && each.time_ms < at->second)
                return Reply{400, "out of order sample"};
            at->second = each.time_ms;
        }
        newest = std::move(after);
        return Reply{};
    };
    config.max_queue_bytes = 600;
    config.request_bytes = 200;
    refuse_all(503);
    open();
    publish_many(0, 60);
    until([&] { return backlog() > 20; });
    usual = strict;
    until([&] { return all_delivered(); });
    const auto refused = lost();
    CHECK(refused > 20);
    CHECK(samples_stored() + refused == 60);
    is_whole();

    refuse_all(503);
    publish_many(60, 200);
    until([&] { return backlog() > 50; });
    usual = strict;
    until([&] { return all_delivered(); });
    CHECK(lost() == refused);
    CHECK(samples_stored() + refused == 200);
    CHECK(doubled() == 0);

    refuse_all(503);  // and its next life knows
    publish_many(200, 300);
    until([&] { return backlog() > 50; });
    end(0ms);
    pushes.clear();
    usual = strict;
    open();
    publish_many(300, 310);
    until([&] { return all_delivered(); });
    CHECK(lost() == 0);
    CHECK(samples_stored() + refused == 310);

    refuse_all(503);  // until the remote is another: the newest go first again
    publish_many(310, 400);
    until([&] { return backlog() > 50; });
    path = "/other";
    pushes.clear();
    take_all();
    until([&] { return all_delivered(); });
    std::vector<std::int64_t> begins;
    for (const Push& push : pushes)
        if (push.request.target() == "/other")
            begins.push_back(push.content.front().time_ms);
    CHECK_FALSE(std::is_sorted(begins.begin(), begins.end()));
}

TEST_CASE_FIXTURE(DurableFixture, "one poisoned record of a backlog is lost alone, and for good")
{
    refuse_all(503);
    open();
    publish_many(0, 60);
    end(0ms);
    usual = [](const Push& push) { return push.has(31'000) ? Reply{400, "bad label"} : Reply{}; };
    open();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 59);
    CHECK(lost() == 1);
    is_whole();
    end(1s);
    open();
    CHECK(backlog() == 0);
    CHECK(runs_in_gaps(publisher->ledger().recent_gaps(), GapReason::refused, Type::metrics) == 1);
}

TEST_CASE_FIXTURE(DurableFixture, "gaps and last runs survive")
{
    open();
    const CheckKey check{Origin::api, 77};
    publisher->record({check, {Origin::api, 1}, 1000, 5000, 5, true, true, GapReason::egress_down});
    end(1s);
    open();
    CHECK(publisher->last_run(check) == 5000);
    const auto gaps = publisher->ledger().recent_gaps();
    REQUIRE(gaps.size() == 1);
    CHECK(gaps[0].runs == 5);
    CHECK(gaps[0].reason == GapReason::egress_down);
}

TEST_CASE_FIXTURE(DurableFixture, "a run that has nothing to say is accounted for all the same")
{
    open();
    Payload silent;
    silent.tenant = {Origin::file, 1};
    silent.timestamp_ms = 9000;
    silent.run_of = CheckKey{Origin::file, 5};
    publisher->publish(silent);
    end(1s);
    open();
    CHECK(publisher->last_run({Origin::file, 5}) == 9000);
    CHECK(backlog() == 0);
}

TEST_CASE_FIXTURE(DurableFixture, "what a tenant has no remote for does not stay in the journal")
{
    wants_logs = false;
    open();
    publish_many(0, 20, true);
    until([&] { return all_delivered(); });
    CHECK(lane(Type::logs).unwanted == 20);
    end(1s);
    wants_logs = true;
    open();
    CHECK(backlog() == 0);
    CHECK(publisher->ledger().recent_gaps().empty());
}

TEST_SUITE_END();
