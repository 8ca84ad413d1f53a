// What crashes, kills or blinds agents of other makers (spec 01 §14): row by row, that this server
// never does it. The client is as strict as they are brittle.
#include "agent/control/store/adhoc.h"
#include "tests/unit/agent/control/calls.h"
#include "tests/unit/agent/control/installation.h"
#include "tests/unit/agent/control/strict_agent.h"

#include <algorithm>

using namespace sonde;
using namespace sonde::tests;
using grpc::StatusCode;

namespace {

void ask(Plane& at, const std::string& id, bool with_settings = true)
{
    at.write([&](Transaction& db) -> Result<> {
        pb::AdHocCheck check;
        check.set_id(id);
        check.set_tenantid(at.tenant);
        check.set_target("example.org");
        check.set_timeout(3'000);
        check.add_probes(at.probe);
        if (with_settings)
            check.mutable_settings()->mutable_ping();
        store::add_adhoc(db, check);
        return {};
    });
}

pb::Tenant get_tenant(Plane& at)
{
    pb::TenantInfo info;
    info.set_id(at.tenant);
    pb::Tenant tenant;
    AgentCall call{at.token};
    REQUIRE(at.tenants->GetTenant(&call, info, &tenant).ok());
    survive(tenant);
    return tenant;
}

/// A probe that all tenants may have checks on, with its token.
std::string add_public_probe(Plane& at)
{
    const std::string token = control::new_probe_token();
    at.write([&](Transaction& db) {
        control::PublicProbe entry;
        entry.key = "public";
        entry.probe.set_name("public");
        entry.token_sha256 = control::sha256_hex(token);
        return store::apply_public_probes(db, {entry});
    });
    return token;
}

}  // namespace

TEST_SUITE("agent/control/rpc")
{
    TEST_CASE_FIXTURE(
        Plane, "agents, row 1: PushTelemetry answers with a status, whatever it is told")
    {
        pb::RegionTelemetry rubbish;
        rubbish.set_instance(std::string("a\0b", 3));
        rubbish.set_regionid(-1);
        rubbish.add_telemetry()->add_telemetry()->set_executions(-1);
        pb::RegionTelemetry good;
        good.set_instance("f3b6");
        auto* const of_tenant = good.add_telemetry();
        of_tenant->set_tenantid(tenant);
        of_tenant->add_telemetry()->set_executions(1);
        for (const auto& each : {pb::RegionTelemetry{}, rubbish, good}) {
            pb::PushTelemetryResponse response;
            AgentCall call{token};
            REQUIRE(telemetry->PushTelemetry(&call, each, &response).ok());
            CHECK(response.has_status());
            CHECK(response.status().code() == pb::OK);
        }
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 2: a tenant without one of its remotes is not sent, nor its checks")
    {
        change_tenant([](pb::Tenant& record) { record.clear_eventsremote(); });
        add(check("before"));
        ask(*this, "before");
        Agent agent{*this};
        agent.connect();
        CHECK(agent.running.empty());
        AdHocAgent other{*this};
        pb::TenantInfo info;
        info.set_id(tenant);
        pb::Tenant record;
        AgentCall call{token};
        CHECK(tenants->GetTenant(&call, info, &record).error_code() == StatusCode::NOT_FOUND);
        change_tenant([](pb::Tenant& now) { *now.mutable_eventsremote() = now.metricsremote(); });
        CHECK(agent.next_of("before").job() == "before");
        CHECK(agent.known.contains(tenant));
        ask(*this, "later");
        CHECK(other.next().has_tenant());
    }

    TEST_CASE_FIXTURE(Plane, "agents, row 3: what has no settings, or two kinds, is not sent")
    {
        Agent agent{*this};
        agent.connect();
        AdHocAgent other{*this};
        pb::Check none = check("none");
        none.clear_settings();
        add(none);
        pb::Check two = check("two");
        two.mutable_settings()->mutable_dns();
        add(two);
        add(check("one"));
        agent.next_of("one");
        CHECK(agent.running.size() == 1);
        ask(*this, "none", false);
        ask(*this, "one");
        CHECK(other.next().adhoccheck().id() == "one");
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, rows 4 and 5: label limits are left out, or leave room for labels")
    {
        add(check("some"));
        CHECK_FALSE(get_tenant(*this).has_limits());
        change_tenant([](pb::Tenant& record) { record.mutable_limits()->set_maxchecks(10); });
        const auto limited = get_tenant(*this).limits();
        CHECK(limited.maxmetriclabels() == 22);
        CHECK(limited.maxloglabels() == 15);
        Agent agent{*this};
        agent.connect();
        while (agent.known.empty())
            agent.next();
        CHECK(agent.known.at(tenant).limits().maxmetriclabels() == 22);
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 6: costs are not attributed by a label with , or = in a value")
    {
        change_tenant([](pb::Tenant& record) {
            record.add_costattributionlabels("team");
            record.add_costattributionlabels("site");
        });
        pb::Check labelled = check("labelled");
        auto* const label = labelled.add_labels();
        label->set_name("team");
        label->set_value("web");
        labelled = add(labelled);
        Agent agent{*this};
        agent.connect();
        while (agent.known.empty())
            agent.next();
        CHECK(agent.known.at(tenant).costattributionlabels_size() == 2);
        // The record without the label is there before the check that needs it.
        for (const char* value : {"web,shop", "web=shop"}) {
            labelled.mutable_labels(0)->set_value(value);
            labelled = update(labelled);
            agent.next_of("labelled");
            REQUIRE(agent.known.at(tenant).costattributionlabels_size() == 1);
            CHECK(agent.known.at(tenant).costattributionlabels(0) == "site");
        }
        CHECK(get_tenant(*this).costattributionlabels_size() == 1);
        CHECK(get_tenant(*this).modified() == agent.known.at(tenant).modified());
    }

    TEST_CASE(
        "agents, row 7: only a wrong token is refused for good; faults of ours are UNAVAILABLE")
    {
        Plane no_database{Plane::Memory::missing};
        CHECK(codes_of_all_calls(no_database, bearer("any")) ==
              std::vector<StatusCode>(8, StatusCode::UNAVAILABLE));
        Plane plane;
        CHECK(codes_of_all_calls(plane, bearer("wrong")) ==
              std::vector<StatusCode>(8, StatusCode::PERMISSION_DENIED));
        const AdHocAgent served{plane};  // the service is there
    }

    TEST_CASE("agents, rows 8, 9 and 17: streams end with UNAVAILABLE, whatever ends them")
    {
        struct Row {
            const char* what;
            void (*happens)(Plane&);
            bool ends_adhoc;
        };
        const Row rows[] = {
            {"the server stops", [](Plane& at) { at.stop(); }, true},
            {"the token is another", [](Plane& at) { at.reset_token(); }, true},
            {"the probe is deleted", [](Plane& at) { at.delete_probe(); }, true},
            {"the probe has changed",
                [](Plane& at) {
                    at.write([&](Transaction& db) -> Result<store::ProbeWithToken> {
                        const auto before = *store::find_probe(db, at.probe);
                        auto now = before.probe;
                        now.set_region("APAC");
                        return store::update_probe(db, before, now, false);
                    });
                },
                false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.what);
            Plane plane;
            Agent agent{plane};
            agent.connect();
            AdHocAgent other{plane};
            ask(plane, "first");
            other.next();  // its token has been accepted
            row.happens(plane);
            CHECK(agent.end() == StatusCode::UNAVAILABLE);
            if (row.ends_adhoc) {
                CHECK(other.end() == StatusCode::UNAVAILABLE);
            } else {
                ask(plane, "still there");
                CHECK(other.next().adhoccheck().id() == "still there");
            }
        }
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 8: after a reset or a deletion no call is answered any more")
    {
        const std::string before = token;
        reset_token();
        CHECK(codes_of_all_calls(*this, bearer(before)) ==
              std::vector<StatusCode>(8, StatusCode::PERMISSION_DENIED));
        const auto [other, its_token] = add_probe("other");
        probe = other;
        delete_probe();
        CHECK(codes_of_all_calls(*this, bearer(its_token)) ==
              std::vector<StatusCode>(8, StatusCode::PERMISSION_DENIED));
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 10: a first message comes at once; who runs checks gets a difference")
    {
        Agent agent{*this};
        agent.connect();  // nothing to run: an empty message
        CHECK(agent.running.empty());
        add(check("first"));
        agent.next_of("first");
        agent.leave();
        add(check("second"));
        agent.connect();
        CHECK(agent.running.size() == 2);
        agent.leave();
        write([&](Transaction& db) { return store::delete_check(db, tenant, 1); });
        agent.connect();
        CHECK(agent.running.size() == 1);
    }

    TEST_CASE_FIXTURE(Plane, "agents, row 11: much comes in messages that agents take")
    {
        constexpr std::size_t number = 60;
        for (std::size_t i = 0; i < number; ++i) {
            pb::Check large = check(std::to_string(i));
            large.mutable_settings()->clear_ping();
            large.mutable_settings()->mutable_http()->set_body(std::string(100'000, 'x'));
            add(large);
        }
        Agent agent{*this};
        agent.connect();
        while (agent.running.size() < number)
            agent.next();
        agent.leave();
        // The same for an agent that runs checks: it takes differences.
        for (auto& [id, modified] : agent.running)
            modified = 1;
        agent.connect();
        const auto old = [&] {
            return std::any_of(agent.running.begin(), agent.running.end(),
                [](const auto& entry) { return entry.second == 1; });
        };
        while (old())
            agent.next();
        CHECK(agent.running.size() == number);
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 12: what has changed has another time of change, which only grows")
    {
        pb::Check changing = add(check("changing"));
        double tenant_before = get_tenant(*this).modified();
        for (int i = 0; i < 20; ++i) {
            const double before = changing.modified();
            changing.set_timeout(1'000 + i);
            changing = update(changing);
            CHECK(changing.modified() > before);
            change_tenant([&](pb::Tenant& record) {
                record.mutable_metricsremote()->set_password(std::to_string(i));
            });
            const double tenant_now = get_tenant(*this).modified();
            CHECK(tenant_now > tenant_before);
            tenant_before = tenant_now;
        }
    }

    TEST_CASE_FIXTURE(Plane, "agents, row 13: nothing is sent that is not to run here, and now")
    {
        pb::Check disabled = check("disabled");
        disabled.set_enabled(false);
        add(disabled);
        const auto [other, its_token] = add_probe("other");
        pb::Check elsewhere = check("elsewhere");
        elsewhere.clear_probes();
        elsewhere.add_probes(other);
        add(elsewhere);
        add(check("here"));
        Agent agent{*this};
        agent.connect();
        CHECK(agent.running.size() == 1);
        while (agent.known.empty())
            agent.next();
        AdHocAgent asked{*this};
        change_tenant([](pb::Tenant& record) { record.set_status(pb::DISABLED); });
        while (!agent.running.empty())
            agent.next();
        ask(*this, "of a disabled tenant");
        change_tenant([](pb::Tenant& record) { record.set_status(pb::ACTIVE); });
        agent.next_of("here");
        CHECK(agent.running.size() == 1);
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 14: GetTenant answers for every tenant that a probe has checks of")
    {
        CHECK(get_tenant(*this).id() == tenant);
        change_tenant([](pb::Tenant& record) { record.set_status(pb::DISABLED); });
        CHECK(get_tenant(*this).id() == tenant);  // those in flight are published
        token = add_public_probe(*this);
        CHECK(get_tenant(*this).id() == tenant);
        tenant = add_tenant(4);
        CHECK(get_tenant(*this).id() == tenant);
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 15: capabilities let agents without k6 run, whatever is stored")
    {
        write([&](Transaction& db) -> Result<store::ProbeWithToken> {
            const auto before = *store::find_probe(db, probe);
            auto now = before.probe;
            now.mutable_capabilities()->set_disablescriptedchecks(false);
            now.mutable_capabilities()->set_disablebrowserchecks(false);
            return store::update_probe(db, before, now, false);
        });
        Agent agent{*this};
        agent.connect();
        const AdHocAgent other{*this};
    }

    TEST_CASE_FIXTURE(
        Plane, "agents, row 16: a secret store is sent with URL and token, or not at all")
    {
        change_tenant([](pb::Tenant& record) {
            record.mutable_secretstore()->set_url("https://secrets.example.net");
        });
        CHECK_FALSE(get_tenant(*this).has_secretstore());
        change_tenant(
            [](pb::Tenant& record) { record.mutable_secretstore()->set_token("secret"); });
        CHECK(get_tenant(*this).secretstore().token() == "secret");
    }

    TEST_CASE_FIXTURE(Installation, "agents, row 18: names of one label are refused as targets")
    {
        struct Row {
            const char* kind;
            const char* target;
        };
        for (const Row row : {Row{"ping", "host"}, Row{"tcp", "host:80"},
                 Row{"http", "http://host/"}, Row{"dns", "host"}}) {
            CAPTURE(row.target);
            json wanted = check("one label");
            wanted["target"] = row.target;
            wanted["settings"] = {{row.kind, json::object()}};
            if (std::string_view{row.kind} == "dns")
                wanted["settings"]["dns"]["server"] = "192.0.2.1";
            CHECK(post("check/add", wanted, 400)["msg"] == "Invalid incoming check");
            CHECK(post("check/adhoc", wanted, 400)["msg"] == "Invalid incoming check");
        }
    }

    TEST_CASE_FIXTURE(
        Installation, "agents, row 19: no text that is not UTF-8, no label that begins with __")
    {
        const std::string bad = "\xff";
        const auto refused = [&](const std::string& resource, const json& body) {
            CAPTURE(resource);
            int status = 0;
            std::string text = body.dump();
            while (text.find("BAD") != std::string::npos)
                text.replace(text.find("BAD"), 3, bad);
            http("POST", replica.url(resource), &status,
                {"Authorization: Bearer " + access, "Content-Type: application/json"}, text);
            CHECK(status == 400);
        };
        for (const char* member : {"job", "target", "alertSensitivity"}) {
            json wanted = check("job");
            wanted[member] = "BAD.example.org";
            refused("check/add", wanted);
        }
        for (const auto& [name, value] : {std::pair{"team", "BAD"}, std::pair{"__team", "web"}}) {
            const json labels = {{{"name", name}, {"value", value}}};
            json wanted = check("job");
            wanted["labels"] = labels;
            refused("check/add", wanted);
            refused("probe/add", {{"name", "labelled"}, {"labels", labels}});
        }
        refused("probe/add", {{"name", "BAD"}});
        refused("probe/add", {{"name", "region"}, {"region", "BAD"}});
    }

    TEST_CASE_FIXTURE(Plane, "a tenant's record reaches its probes with and without checks of it")
    {
        Agent agent{*this};
        agent.connect();
        change_tenant(
            [](pb::Tenant& record) { record.mutable_metricsremote()->set_password("new"); });
        agent.next();
        CHECK(agent.known.at(tenant).metricsremote().password() == "new");
        add(check("first"));
        agent.next_of("first");
        change_tenant(
            [](pb::Tenant& record) { record.mutable_metricsremote()->set_password("newer"); });
        agent.next();
        CHECK(agent.known.at(tenant).metricsremote().password() == "newer");
    }
}
