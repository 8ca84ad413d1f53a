// What crashes, kills or blinds agents of the reference (spec 01 §14, row by row, and the quirks of
// §7.5 to §7.9): ours lives on, goes on with what is not touched by it, and says what was wrong.
#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using exporters::GapReason;
using exporters::Origin;

namespace {

struct Fixture : LinkFixture {
    explicit Fixture(const FakeControl::Offers& offers = {}) : LinkFixture{offers}
    {
        api.set_checks({});
        timings.telemetry_step = 0ms;
        telemetry_every = 10ms;
        timings.service_retry = 5ms;
        api.set_tenant(whole_tenant(1));
    }

    void start_all()
    {
        start();
        start_adhoc();
        until_connected();
    }

    /// Results of one check so far.
    std::size_t results_of(std::int64_t id) const
    {
        std::size_t count = 0;
        for (const exporters::Payload& payload : results.payloads)
            count += payload.run_of && payload.run_of->id == id;
        return count;
    }
    void until_results_of(std::int64_t id, std::size_t count = 1)
    {
        until([&] { return results_of(id) >= count; });
    }

    /// A check that comes now is run, in a session: all is as it should be.
    void check_all_is_well(std::int64_t id = 77)
    {
        until([&] { return link->connected(); });
        api.send(Message{}.update(busy_check(id, address())).changes);
        until_results_of(id);
        CHECK_FALSE(given_up);
    }

    pb::AdHocRequest adhoc_request() const
    {
        pb::AdHocRequest out;
        out.mutable_adhoccheck()->set_id("adhoc");
        out.mutable_adhoccheck()->set_tenantid(1);
        out.mutable_adhoccheck()->set_timeout(1000);
        out.mutable_adhoccheck()->set_target(address());
        out.mutable_adhoccheck()->mutable_settings()->mutable_tcp();
        return out;
    }

    /// The label of a name in the newest result of a check, on any of its series.
    std::string label_of(std::int64_t id, std::string_view name) const
    {
        for (auto payload = results.payloads.rbegin(); payload != results.payloads.rend();
            ++payload)
            if (payload->run_of && payload->run_of->id == id)
                for (std::size_t i = 0; i < payload->series->size(); ++i)
                    for (const auto& label : payload->series->labels(i))
                        if (label.name == name)
                            return label.value;
        return "?";
    }
};

/// Its streams begin with nothing.
struct Silent : Fixture {
    Silent() { api.begin_with_nothing(); }
};

pb::Label& add_label(pb::Check& check, const std::string& name, const std::string& value)
{
    pb::Label& label = *check.add_labels();
    label.set_name(name);
    label.set_value(value);
    return label;
}

}  // namespace

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

    TEST_CASE_FIXTURE(Silent, "row 10: no first message; what comes later is taken as the first")
    {
        start_all();
        const LogCapture log;
        api.send(Message{}.remove(9).update(idle_check(1, 10)).add(idle_check(2, 20)).changes);
        until_on_schedule({{2, 20}});
        CHECK(log.count("a first batch only adds") == 2);
        CHECK(metric("sm_agent_updater_change_errors_total") == 2);
        api.end_stream(Code::unavailable);  // the next session sets it right
        api.set_checks({idle_check(1, 10), idle_check(2, 20)});
        until_on_schedule({{1, 10}, {2, 20}});
    }

    TEST_CASE_FIXTURE(Silent, "row 10: a snapshot in several messages while checks are running")
    {
        build();
        schedule->put(Origin::api, busy_check(1, address()), std::make_shared<const pb::Probe>());
        schedule->put(Origin::api, busy_check(2, address()), std::make_shared<const pb::Probe>());
        start_all();
        until_results_of(2);
        api.send(Message{}.add(busy_check(1, address())).changes);
        api.send(Message{}.add(busy_check(2, address())).changes);
        until_on_schedule({{1, 1}, {2, 1}});
        const auto before = results_of(2);
        until_results_of(2, before + 2);
        CHECK(metric("sm_agent_updater_change_errors_total") == 0);
    }

    TEST_CASE("row 11: a message of changes above 4 MiB is read, up to the limit of ours")
    {
        const auto large = [](std::size_t bytes) {
            pb::Check check = idle_check(1, 10);
            check.mutable_settings()->mutable_tcp()->add_queryresponse()->set_send(
                std::string(bytes, 'x'));
            return Message{}.add(check).changes;
        };
        Fixture wide;
        wide.start_all();
        wide.api.send(large(5 << 20));
        wide.until_on_schedule({{1, 10}});

        Fixture narrow;
        narrow.max_message_bytes = 1 << 20;
        const LogCapture log;
        narrow.start_all();
        narrow.api.send(large(5 << 20));
        narrow.until_sessions(2);
        CHECK(log.count("raise api.max_message_bytes") == 1);
        narrow.check_all_is_well();
    }

    TEST_CASE_FIXTURE(Fixture, "row 12: a change without a new `modified`")
    {
        api.set_checks({busy_check(1, address())});
        start_all();
        until_results_of(1);
        CHECK(label_of(1, "job") == "job");
        pb::Check renamed = busy_check(1, address());
        renamed.set_job("renamed");
        api.set_checks({renamed});
        api.end_stream(Code::unavailable);
        until_sessions(2);
        const auto before = results_of(1);
        until_results_of(1, before + 2);
        CHECK(label_of(1, "job") == "job");  // not seen at a reconnect
        api.send(Message{}.update(renamed).changes);
        until([&] { return label_of(1, "job") == "renamed"; });  // but when told
        CHECK(label_of(1, "config_version") == "1000000000");    // under the same version
        pb::Tenant same = whole_tenant(1);
        same.set_label_mode(pb::LABEL_MODE_UNPREFIXED);
        tenants->told(same);
        CHECK((*await(loop, tenants->tenant({Origin::api, 1})))->label_mode ==
              pb::LABEL_MODE_PREFIXED);
    }

    TEST_CASE_FIXTURE(Fixture, "row 13: disabled checks and those of other probes: the API decides")
    {
        pb::Check disabled = busy_check(1, address());
        disabled.set_enabled(false);
        pb::Check of_another = busy_check(2, address());
        of_another.set_probes(0, 99);
        pb::Tenant off = whole_tenant(1);
        off.set_status(pb::DISABLED);
        api.set_tenant(off);
        start_all();
        api.send(Message{}.add(disabled).add(of_another).changes);
        until_results_of(1);
        until_results_of(2);
    }

    TEST_CASE_FIXTURE(
        Fixture, "row 14: GetTenant fails: no runs, each accounted for, until it works")
    {
        for (int i = 0; i < 200; ++i)
            api.next_tenant({Code::internal, "no database"});
        const LogCapture log;
        start_all();
        api.send(Message{}.add(busy_check(1, address())).changes);
        until([&] { return results.lost(GapReason::no_tenant) >= 3; });
        CHECK(results_of(1) == 0);
        CHECK(log.count("a tenant could not be read") >= 1);
        CHECK(log.count("no database") >= 1);
        CHECK(metric("sm_agent_scraper_errors_total", "collector") >= 3);
        tenants->told(whole_tenant(1));
        until_results_of(1);
    }

    TEST_CASE("row 15: capabilities absent, or wanting k6 of us")
    {
        for (const bool present : {false, true}) {
            Fixture fixture;
            pb::Probe probe;
            probe.set_id(7);
            if (present)
                probe.mutable_capabilities()->set_disablescriptedchecks(true);
            fixture.api.set_probe(probe);
            fixture.start_all();
            fixture.check_all_is_well();
        }
    }

    TEST_CASE("row 16: a secret store without URL or token is none, and no reason to keep asking")
    {
        for (const auto& [url, token] : {std::pair{"", ""}, {"http://secrets", ""}, {"", "t"}}) {
            CAPTURE(url);
            Fixture fixture;
            pb::Tenant tenant = whole_tenant(1);
            tenant.mutable_secretstore()->set_url(url);
            tenant.mutable_secretstore()->set_token(token);
            fixture.api.set_tenant(tenant);
            fixture.start_all();
            fixture.api.send(Message{}.add(busy_check(1, fixture.address())).changes);
            fixture.until_results_of(1, 4);
            CHECK(fixture.api.seen().tenants.size() == 1);
        }
    }

    TEST_CASE_FIXTURE(Fixture, "row 17: reconnects forced with ABORTED, again and again")
    {
        api.set_checks({idle_check(1, 10)});
        start_all();
        for (std::size_t session = 1; session <= 20; ++session) {
            until_sessions(session);
            api.end_stream(Code::aborted, "come again");
        }
        until_sessions(21);
        CHECK(metric("sm_agent_updater_changes_total") == 1);  // nothing began anew
        check_all_is_well();
    }

    TEST_CASE_FIXTURE(Fixture, "row 17: a session that has lasted begins the back-off anew")
    {
        timings.first_backoff = 1ms;
        timings.longest_backoff = 30ms;
        start_all();
        for (std::size_t session = 1; session <= 12; ++session) {
            until_sessions(session);
            const auto lasted = std::chrono::steady_clock::now() + 40ms;
            until([&] { return std::chrono::steady_clock::now() > lasted; });
            const LogCapture log;
            api.end_stream(Code::aborted, "come again");
            until_sessions(session + 1);
            CHECK(log.count("\"wait_ms\":1") + log.count("wait_ms=1") == 1);
        }
    }

    TEST_CASE_FIXTURE(Fixture, "row 18: names of a single label are run")
    {
        start_all();
        const auto number = std::to_string(target.local_endpoint().port());
        api.send(Message{}.add(busy_check(1, "localhost:" + number)).changes);
        until_results_of(1);
        CHECK(metric("sm_agent_updater_change_errors_total") == 0);
    }

    TEST_CASE_FIXTURE(Fixture, "row 19: text that is not UTF-8, in checks and in the probe")
    {
        const std::string bad = "x\xffy";
        const std::string repaired = "x\xef\xbf\xbdy";
        pb::Probe probe;
        probe.set_id(7);
        probe.set_name(bad);
        probe.set_region(bad);
        pb::Label& probe_label = *probe.add_labels();
        probe_label.set_name("place");
        probe_label.set_value(bad);
        api.set_probe(probe);
        const LogCapture log;
        start_all();
        pb::Check garbled = busy_check(1, address());
        garbled.set_job(bad);
        garbled.set_alertsensitivity(bad);
        add_label(garbled, "team", bad);
        pb::Check bad_target = busy_check(2, bad);
        api.send(Message{}.add(garbled).add(bad_target).add(busy_check(3, address())).changes);
        until_results_of(1);
        until_results_of(2);
        until_results_of(3);
        CHECK(label_of(1, "job") == repaired);
        CHECK(label_of(1, "alert_sensitivity") == repaired);
        CHECK(label_of(1, "label_team") == repaired);
        CHECK(label_of(1, "label_place") == repaired);
        CHECK(label_of(3, "probe") == repaired);
        CHECK(label_of(2, "instance") == repaired);
        CHECK(log.count("text that is not UTF-8; it was repaired") >= 2);

        auto adhoc_garbled = adhoc_request();
        adhoc_garbled.mutable_adhoccheck()->set_id(bad);
        api.send(adhoc_garbled);
        until([&] { return answers.size() == 1; });
        CHECK(answers[0].logs->lines[0].line.find("\"id\":\"" + repaired) != std::string::npos);
    }

    TEST_CASE_FIXTURE(Fixture, "row 19: labels with names of Prometheus' own, not prefixed")
    {
        pb::Tenant tenant = whole_tenant(1);
        tenant.set_label_mode(pb::LABEL_MODE_UNPREFIXED);
        api.set_tenant(tenant);
        start_all();
        pb::Check check = busy_check(1, address());
        add_label(check, "__name__", "evil");
        add_label(check, "__x", "y");
        api.send(Message{}.add(check).changes);
        until_results_of(1);
        CHECK(label_of(1, "__name__") != "evil");
        check_all_is_well();
    }

    TEST_CASE_FIXTURE(Silent, "§7.5: a tenant or a check without an id, a check twice, ids of 0")
    {
        start_all();
        pb::Check no_id = idle_check(0, 1);
        pb::Check no_tenant = idle_check(1, 1);
        no_tenant.set_tenantid(0);
        Message message;
        *message.changes.add_tenants() = pb::Tenant{};
        api.send(
            message.add(no_id).add(no_tenant).add(idle_check(2, 1)).add(idle_check(2, 3)).changes);
        until_on_schedule({{2, 3}});
        CHECK(metric("sm_agent_updater_change_errors_total", "add") >= 2);
        check_all_is_well();
    }

    TEST_CASE_FIXTURE(Fixture, "§7.8: a ping that is refused later on ends the session, no more")
    {
        timings.ping_every = 1ms;
        api.next_ping({});
        api.next_ping({Code::aborted, "no"});
        start_all();
        until_sessions(2);
        check_all_is_well();
    }
}
