// What an API may say that crashes, kills or blinds agents of the reference, continued: what its
// streams bring (spec 01 §14 from row 10, §7.5, §7.8).
#include "tests/unit/agent/link/hostile_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using Fixture = HostileFixture;
using Silent = SilentFixture;

TEST_SUITE("agent/link/hostile_changes")
{
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
