// What crashes, kills or blinds agents of the reference (spec 01 §14, row by row, and the quirks of
// §7.5 to §7.9): ours lives on, goes on with what is not touched by it, and says what was wrong.
#include "tests/unit/agent/link/hostile_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using Fixture = HostileFixture;

TEST_SUITE("agent/link/hostile_api")
{
    TEST_CASE_FIXTURE(Fixture, "row 1: PushTelemetryResponse without a status is an OK")
    {
        api.answer_telemetry_with_nothing();
        start_all();
        telemetry->completed(idle_check(1, 1), {Origin::api, 1}, 1);
        until([&] { return api.seen().telemetry.size() >= 3; });
        CHECK(metric("sm_agent_telemetry_push_requests_errors_total") == 0);
        check_all_is_well();
    }

    TEST_CASE("row 2: a tenant without remotes has its checks run; there is no place to send to")
    {
        for (const bool metrics : {false, true})
            for (const bool events : {false, true}) {
                CAPTURE(metrics);
                CAPTURE(events);
                Fixture fixture;
                pb::Tenant tenant = whole_tenant(1);
                if (!metrics)
                    tenant.clear_metricsremote();
                if (!events)
                    tenant.clear_eventsremote();
                fixture.api.set_tenant(tenant);
                fixture.start_all();
                fixture.check_all_is_well();
                const auto known = await(fixture.loop, fixture.tenants->tenant({Origin::api, 1}));
                CHECK((*known)->metrics.has_value() == metrics);
                CHECK((*known)->events.has_value() == events);
            }
    }

    TEST_CASE_FIXTURE(Fixture, "row 3: checks without settings, or of a kind nobody knows")
    {
        start_all();
        pb::Check none = idle_check(1, 10);
        none.clear_settings();
        pb::Check unknown = none;
        unknown.set_id(2);
        unknown.mutable_settings()
            ->GetReflection()
            ->MutableUnknownFields(unknown.mutable_settings())
            ->AddLengthDelimited(42, "");
        const LogCapture log;
        api.send(Message{}.add(none).add(unknown).changes);
        until_on_schedule({{1, 10}, {2, 10}});
        CHECK(log.count("a check of an unknown kind is not run") == 2);
        none.set_modified(11);
        api.send(Message{}.update(none).changes);
        until_on_schedule({{1, 11}, {2, 10}});
        auto adhoc_none = adhoc_request();
        adhoc_none.mutable_adhoccheck()->clear_settings();
        api.send(adhoc_none);
        until([&] { return answers.size() == 1; });
        CHECK(metric("sonde_adhoc_refused_total", "unknown_kind") == 1);
        check_all_is_well();
    }

    TEST_CASE("rows 4 and 5: limits of 0, and ones that leave no room, are no crash")
    {
        struct Row {
            std::int64_t metric_labels;
            std::int64_t log_labels;
            bool runs;
        };
        const Row rows[] = {{22, 0, true}, {22, 1, true}, {22, -5, true}, {9, 15, true},
            {7, 15, false}, {0, 15, false}, {0, 0, false}, {-1, -1, false}};
        for (const auto& [metric_labels, log_labels, runs] : rows) {
            CAPTURE(metric_labels);
            CAPTURE(log_labels);
            Fixture fixture;
            pb::Tenant tenant = whole_tenant(1);
            tenant.mutable_limits()->set_maxmetriclabels(metric_labels);
            tenant.mutable_limits()->set_maxloglabels(log_labels);
            fixture.api.set_tenant(tenant);
            fixture.start_all();
            fixture.api.send(Message{}.add(busy_check(1, fixture.address())).changes);
            if (runs) {
                fixture.until_results_of(1, 2);
            } else {
                const LogCapture log;
                fixture.until(
                    [&] { return fixture.results.lost(GapReason::too_many_labels) >= 2; });
                CHECK(log.count("too_many_labels") >= 1);
                CHECK(fixture.results_of(1) == 0);
                CHECK(fixture.metric("sm_agent_scraper_errors_total", "collector") >= 2);
            }
            fixture.tenants->told(whole_tenant(1, 2));  // mended
            fixture.until_results_of(1, 2);
        }
    }

    TEST_CASE_FIXTURE(
        Fixture, "row 6: costs attributed to label values with commas and equal signs")
    {
        pb::Tenant tenant = whole_tenant(1);
        tenant.add_costattributionlabels("team");
        api.set_tenant(tenant);
        start_all();
        pb::Check check = busy_check(1, address());
        add_label(check, "team", "a,b=c,=");
        api.send(Message{}.add(check).changes);
        until_results_of(1);
        telemetry->completed(check, {Origin::api, 1}, 0.1);
        until([&] { return !api.seen().telemetry.empty(); });
        const auto push = api.seen().telemetry.back();
        CHECK(push.telemetry(0).telemetry(0).costattributionlabels(0).value() == "a,b=c,=");
        check_all_is_well();
    }

    TEST_CASE("row 7: no service for ad-hoc checks, or not for us")
    {
        struct Row {
            FakeControl::Answer answer;
            bool offered = true;
        };
        const Row rows[] = {{{}, false}, {{Code::unimplemented, "404"}},
            {{Code::permission_denied, "403"}}, {{Code::ok, "no", pb::NOT_AUTHORIZED}}};
        for (const auto& [answer, offered] : rows) {
            CAPTURE(answer.text);
            Fixture fixture{FakeControl::Offers{.adhoc = offered}};
            fixture.api.next_adhoc_register(answer);
            const LogCapture log;
            fixture.start_all();
            fixture.until(
                [&] { return log.count("the API has no ad-hoc checks for this probe") == 1; });
            fixture.check_all_is_well();
        }
    }

    TEST_CASE_FIXTURE(Fixture, "row 8: a change stream that is closed with OK or CANCELLED")
    {
        start_all();
        std::size_t sessions = 1;
        for (const Code code : {Code::ok, Code::cancelled, Code::ok}) {
            CAPTURE(static_cast<int>(code));
            until_sessions(sessions);
            const LogCapture log;
            api.end_stream(code);
            until_sessions(++sessions);
            CHECK(log.count("no session with the API, trying again") == 1);
            CHECK(log.count("GetChanges") == 1);
        }
        CHECK(metric("sonde_link_sessions_lost_total") == 3);
        check_all_is_well();
    }

    TEST_CASE_FIXTURE(Fixture, "row 9: a stream of ad-hoc checks that is closed with OK")
    {
        start_all();
        until([&] { return api.seen().adhoc_followed == 1; });
        api.end_adhoc(Code::ok);
        until([&] { return api.seen().adhoc_followed == 2; });
        api.send(adhoc_request());
        until([&] { return answers.size() == 1; });
    }
}
