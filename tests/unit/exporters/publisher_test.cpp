// The publisher in memory alone: what answers mean, what is lost and how it is told.
#include "tests/unit/exporters/push_fixture.h"

using namespace sonde;
using namespace sonde::exporters;
using namespace std::chrono_literals;

TEST_SUITE_BEGIN("exporters/publisher");

TEST_CASE_FIXTURE(
    PushFixture, "a push has the headers of remote write and the tenant's credentials")
{
    start();
    publish(1, 1000);
    until([&] { return pushes.size() == 1; });
    const auto& request = pushes[0].request;
    CHECK(request.target() == "/metrics");
    CHECK(request["Content-Type"] == "application/x-protobuf");
    CHECK(request["Content-Encoding"] == "snappy");
    CHECK(request["X-Prometheus-Remote-Write-Version"] == "0.1.0");
    CHECK(request["Authorization"] == "Basic NzpmaXJzdA==");
    CHECK(pushes[0].content == std::vector{sample(1, 1000)});
}

TEST_CASE_FIXTURE(PushFixture, "after the end nothing is left to do")
{
    start();
    publish(1, 1000, true);
    end(5s);
    CHECK(times_stored(1, 1000) == 1);
    go_down();
    loop.restart();
    loop.run_for(10s);
    CHECK(loop.stopped());
}

TEST_CASE_FIXTURE(PushFixture, "samples and lines go to their own remotes")
{
    start();
    publish(1, 1000, true);
    until([&] { return all_delivered(); });
    CHECK(times_stored(1, 1000) == 1);
    CHECK(stored.contains({"{check=\"1\"}level=info\n", 1000}));
    CHECK(metric("sonde_runs_published_total") == 1);
    CHECK(metric("sm_agent_publisher_push_total") == 2);
}

TEST_CASE_FIXTURE(PushFixture, "faults that pass cost nothing, and nothing is stored twice")
{
    const struct {
        const char* what;
        Reply reply;
        const char* status;
    } rows[] = {{"server in trouble", {503}, "503"}, {"server error", {500}, "500"},
        {"request time-out", {408}, "408"}, {"credentials refused", {401}, "401"},
        {"not allowed", {403}, "403"}, {"not there", {404}, "404"}, {"no such verb", {405}, "405"},
        {"moved", {301}, "301"}, {"too fast", {429}, "429"},
        {"too many series", {400, "err-mimir-max-series-per-user"}, "400"},
        {"ingestion off", {429, "limit: 0 bytes"}, "429"}};
    for (const auto& row : rows) {
        CAPTURE(row.what);
        stored.clear();
        told.clear();
        start();
        const auto before = tries(Type::metrics);
        script = {row.reply, row.reply, row.reply, row.reply, row.reply};
        for (int i = 0; i < 20; ++i)
            publish(1 + i % 3, 1000 * i, true);
        until([&] { return script.empty(); });
        for (int i = 20; i < 30; ++i)
            publish(1 + i % 3, 1000 * i, true);
        until([&] { return all_delivered(); });
        CHECK(samples_stored() == 30);
        CHECK(stored.size() == 60);
        CHECK(doubled() == 0);
        CHECK(tries(Type::metrics) > before);
        CHECK(metric("sm_agent_publisher_drop_total") == 0);
        CHECK(metric("sm_agent_publisher_retries_total") >= 5);
        CHECK(metric("sm_agent_publisher_responses_total", {{"status", row.status}}) == 5);
        CHECK(metric("sm_agent_publisher_push_errors_total", {{"status", row.status}}) >= 5);
        CHECK(publisher->ledger().recent_gaps().empty());
        end(1s);
    }
}

TEST_CASE_FIXTURE(PushFixture, "a remote that is not there for a while gets everything, once")
{
    go_down();
    start();
    for (int i = 0; i < 300; ++i)
        publish(i % 5, 1000 * i);
    until([&] { return metric("sm_agent_publisher_retries_total") >= 6; });
    listen();
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 300);
    CHECK(doubled() == 0);
    CHECK(metric("sonde_publisher_queue_records") == 0);
}

TEST_CASE_FIXTURE(PushFixture, "while a lane fails, one record at a time is tried")
{
    script = {{503}, {503}, {503}};
    start();
    for (int i = 0; i < 50; ++i)
        publish(1, 1000 * i);
    until([&] { return all_delivered(); });
    CHECK(pushes[1].content.size() == 1);
    CHECK(pushes[2].content.size() == 1);
    CHECK(pushes[3].content.size() == 1);
    CHECK(pushes.back().content.size() > 1);
}

TEST_CASE_FIXTURE(
    PushFixture, "refused credentials are looked up anew, and what was refused goes with the new")
{
    script = {{401}};
    when_suspected = [this] { password = "second"; };
    start();
    publish(1, 1000);
    until([&] { return all_delivered(); });
    CHECK(suspected == 1);
    CHECK(pushes[1].request["Authorization"] == "Basic NzpzZWNvbmQ=");
    CHECK(times_stored(1, 1000) == 1);
}

TEST_CASE_FIXTURE(PushFixture, "a URL that is corrected later has lost nothing")
{
    for (const char* wrong : {"http://:99999/", "gopher://127.0.0.1/", "/nowhere"}) {
        CAPTURE(wrong);
        path = wrong;
        usual = [](const Push& push) {
            return Reply{push.request.target() == "/nowhere" ? 404 : 200};
        };
        const int before = suspected;
        start();
        publish(1, 1000);
        publish(1, 2000);
        until([&] { return suspected > before + 1; });
        path = "/metrics";
        until([&] { return all_delivered(); });
        CHECK(samples_stored() == 2);
        end(1s);
    }
}

TEST_CASE_FIXTURE(PushFixture, "a refusal of one lane's URL or credentials leaves the other alone")
{
    for (const int status : {401, 404}) {
        CAPTURE(status);
        timings.after_401 = timings.after_fatal = 1h;
        timings.longest_401 = timings.longest_fatal = 1h;
        usual = [status](
                    const Push& push) { return Reply{push.type == Type::logs ? status : 200}; };
        start();
        publish(1, 1000, true);
        publish(1, 2000, true);
        until([&] { return lane(Type::metrics).waiting() == 0; });
        until([&] { return metric("sm_agent_publisher_push_errors_total") > 0; });
        publish(1, 3000, true);
        until([&] { return lane(Type::metrics).delivered == 3; });
        CHECK(lane(Type::logs).delivered == 0);
        end(0ms);
    }
}

TEST_CASE_FIXTURE(PushFixture, "told to slow down, both lanes rest")
{
    timings.after_429 = timings.longest_429 = 1h;
    script = {{429}};
    start();
    publish(1, 1000);
    until([&] { return metric("sm_agent_publisher_retries_total") == 1; });
    publish(1, 2000, true);
    loop.restart();
    loop.run_for(50ms);
    CHECK(pushes.size() == 1);
    CHECK(lane(Type::logs).waiting() == 1);
}

TEST_CASE_FIXTURE(PushFixture, "a remote that says how long to rest is heeded")
{
    timings.after_429 = timings.longest_429 = 1h;
    script = {{429, "", 0ms, {}, {{"retry-AFTER", " 0 "}}}};
    start();
    publish(1, 1000);
    until([&] { return all_delivered(); });
    CHECK(samples_stored() == 1);
}

TEST_CASE_FIXTURE(PushFixture, "what never left cannot come twice")
{
    go_down();
    start();
    publish(1, 1000);
    until([&] { return metric("sm_agent_publisher_retries_total") >= 4; });
    listen();
    until([&] { return all_delivered(); });
    CHECK(metric("sonde_publisher_uncertain_total") == 0);
}

TEST_CASE_FIXTURE(PushFixture, "of many records only the one that the remote refuses is lost")
{
    for (const int status : {400, 413, 422, 429}) {
        CAPTURE(status);
        stored.clear();
        told.clear();
        const std::string body =
            status == 429 ? "Maximum active stream limit exceeded" : "bad label";
        script = {{503}};  // so that the others are one request
        usual = [&](const Push& push) {
            return push.has(13'000) && push.type == Type::metrics ? Reply{status, body} : Reply{};
        };
        start();
        for (int i = 0; i < 40; ++i)
            publish(i, 1000 * i, true);
        until([&] { return all_delivered(); });
        CHECK(samples_stored() == 39);
        CHECK(times_stored(13, 13'000) == 0);
        CHECK(stored.size() == 79);
        CHECK(doubled() == 0);
        const auto gaps = publisher->ledger().recent_gaps();
        REQUIRE(gaps.size() == 1);
        const CheckKey culprit{Origin::file, 13};
        const Gap gap{
            culprit, {Origin::file, 1}, 13'000, 13'000, 1, true, false, GapReason::refused};
        CHECK(gaps[0] == gap);
        CHECK(metric("sonde_publisher_lost_total", {{"reason", "refused"}, {"type", "metrics"}}) ==
              1);
        CHECK(metric("sonde_publisher_lost_age_seconds", {{"reason", "refused"}}) == 1);
        CHECK(metric("sm_agent_publisher_drop_total") == 1);
        end(1s);
    }
}

TEST_CASE_FIXTURE(PushFixture, "a remote that refuses everything is told each record once or twice")
{
    usual = [](const Push&) { return Reply{400}; };
    start();
    for (int i = 0; i < 100; ++i)
        publish(1, 1000 * i);
    until([&] { return lane(Type::metrics).dropped == 100; });
    CHECK(pushes.size() <= 200);
    const auto gaps = publisher->ledger().recent_gaps();
    CHECK(runs_in_gaps(gaps, GapReason::refused, Type::metrics) == 100);
    CHECK(gaps.size() == 1);  // run after run
}

TEST_CASE_FIXTURE(PushFixture,
    "an answer that comes too late: the next try waits longer, and doubles are explained")
{
    config.request_timeout = 60ms;
    usual = [](const Push&) { return Reply{200, "", 90ms}; };
    start();
    for (int i = 0; i < 10; ++i) {
        publish(1, 1000 * i);
        until([&] { return all_delivered(); });
    }
    CHECK(samples_stored() == 10);
    // Once it is known how slow it is, nothing is stored twice any more.
    CHECK(doubled() >= 1);
    CHECK(doubled() <= 3);
    CHECK(metric("sonde_publisher_uncertain_total") == doubled());
    CHECK(metric("sm_agent_publisher_responses_total", {{"status", "0"}}) == doubled());
}

TEST_CASE_FIXTURE(PushFixture, "what is sent again is the same, byte by byte")
{
    config.request_timeout = 50ms;
    script = {{200, "", 80ms}};
    start();
    publish(1, 1000, false);
    until([&] { return all_delivered(); });
    REQUIRE(pushes.size() >= 2);
    CHECK(pushes[0].request.body() == pushes[1].request.body());
}

TEST_CASE_FIXTURE(PushFixture, "beyond the bound in memory the oldest goes, each in a gap")
{
    go_down();
    config.max_queue_bytes = 1000;
    config.request_bytes = 100;
    start();
    constexpr int runs = 200;
    for (int i = 0; i < runs; ++i)
        publish(i % 2, 1000 * i, true);
    until([&] { return metric("sm_agent_publisher_retries_total") >= 2; });
    CHECK(lane(Type::metrics).dropped > 100);
    CHECK(metric("sonde_publisher_queue_bytes", {{"type", "metrics"}}) <= 1000);
    listen();
    until([&] { return all_delivered(); });
    const auto gaps = publisher->ledger().recent_gaps();
    CHECK(samples_stored() + runs_in_gaps(gaps, GapReason::memory_full, Type::metrics) == runs);
    CHECK(times_stored(1, 199'000) == 1);
    CHECK(lane(Type::logs).delivered + lane(Type::logs).dropped == runs);
    CHECK(metric("sonde_publisher_lost_total", {{"reason", "memory_full"}}) ==
          metric("sm_agent_publisher_drop_total"));
    CHECK(gaps.size() <= 8);  // neighbours are one
    for (const Gap& gap : gaps)
        for (auto at = gap.from_ms; at <= gap.to_ms; at += 2000)
            if (gap.samples)
                CHECK(times_stored(gap.check->id, at) == 0);
}

TEST_CASE_FIXTURE(PushFixture, "what is too old goes, in a gap")
{
    go_down();
    config.max_queue_age = 1ms;
    start();
    publish(1, 1000);
    until([&] { return lane(Type::metrics).dropped == 1; });
    const auto gaps = publisher->ledger().recent_gaps();
    CHECK(runs_in_gaps(gaps, GapReason::too_old, Type::metrics) == 1);
}

TEST_CASE_FIXTURE(PushFixture, "a tenant that nobody knows yet keeps its records")
{
    unknown = error("tenant", "not now");
    start();
    publish(1, 1000, true);
    until(
        [&] { return metric("sm_agent_publisher_push_failed_total", {{"reason", "tenant"}}) > 3; });
    unknown.reset();
    until([&] { return all_delivered(); });
    CHECK(times_stored(1, 1000) == 1);
}

TEST_CASE_FIXTURE(PushFixture, "what a tenant has no remote for is nobody's loss")
{
    wants_logs = false;
    start();
    publish(1, 1000, true);
    until([&] { return all_delivered(); });
    CHECK(lane(Type::logs).unwanted == 1);
    CHECK(publisher->ledger().recent_gaps().empty());
    CHECK(metric("sm_agent_publisher_drop_total") == 0);
}

TEST_CASE_FIXTURE(PushFixture, "what waits at the end is sent before the end")
{
    usual = [](const Push&) { return Reply{200, "", 5ms}; };
    config.flush_every = 1h;
    config.request_bytes = 200;
    start();
    for (int i = 0; i < 30; ++i)
        publish(1, 1000 * i, true);
    end(5s);
    CHECK(samples_stored() == 30);
    CHECK(stored.size() == 60);
}

TEST_CASE_FIXTURE(PushFixture, "what cannot be sent before the end is in gaps")
{
    go_down();
    timings.first_backoff = timings.longest_backoff = 1h;
    start();
    for (int i = 0; i < 30; ++i)
        publish(1, 1000 * i, true);
    bool done = false;
    tasks.spawn(shut_down(2s, done));
    until([&] { return done; });
    for (const Type type : {Type::metrics, Type::logs}) {
        CHECK(runs_in_gaps(publisher->ledger().recent_gaps(), GapReason::stopped, type) == 30);
        CHECK(lane(type).waiting() == 0);
    }
    CHECK(metric("sm_agent_publisher_drop_total") == 60);
}

TEST_CASE_FIXTURE(PushFixture, "a request that hangs does not hold up the end")
{
    usual = [](const Push&) { return Reply{200, "", 10s, false}; };
    start();
    publish(1, 1000);
    until([&] { return pushes.size() == 1; });
    end(50ms);
    usual = nullptr;
    CHECK(pushes.size() == 1);
}

TEST_CASE_FIXTURE(PushFixture, "new limits hold from now on")
{
    go_down();
    start();
    for (int i = 0; i < 50; ++i)
        publish(1, 1000 * i);
    CHECK(lane(Type::metrics).dropped == 0);
    config.max_queue_bytes = 500;
    publisher->reconfigure(config, journal);
    CHECK(lane(Type::metrics).dropped > 20);
    CHECK(metric("sonde_publisher_queue_bytes") <= 500);
}

TEST_CASE_FIXTURE(
    PushFixture, "runs without a result are told by reason, and count as the last run")
{
    start();
    const CheckKey check{Origin::file, 4};
    CHECK_FALSE(publisher->last_run(check).has_value());
    publisher->record({check, {Origin::file, 1}, 1000, 3000, 3, true, true, GapReason::overrun});
    CHECK(publisher->last_run(check) == 3000);
    publish(4, 4000);
    CHECK(publisher->last_run(check) == 4000);
    CHECK(metric("sonde_runs_missing_total", {{"reason", "overrun"}}) == 3);
    CHECK(metric("sonde_runs_published_total") == 1);
}

TEST_SUITE_END();
