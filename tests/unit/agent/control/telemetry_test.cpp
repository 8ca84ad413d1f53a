// What agents say of their runs, and what is billed for it (spec 01 §11.1).
#include "agent/control/store/connection.h"
#include "agent/control/store/telemetry.h"
#include "tests/unit/agent/control/plane.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

/// One row of the sums.
struct Sum {
    std::int64_t tenant = 0;
    std::int64_t probe = 0;
    int region = 0;
    std::string check_class;
    std::string labels;
    std::int64_t executions = 0;
    double seconds = 0;
    std::int64_t sampled = 0;
    bool operator==(const Sum&) const = default;
};

std::vector<Sum> sums(Plane& at)
{
    return at.write([](Transaction& db) -> Result<std::vector<Sum>> {
        Sum row;
        std::vector<Sum> out;
        soci::statement rows =
            (db.sql().prepare << "SELECT tenant_id, probe_id, region_id, class, labels, "
                                 "executions, duration_s, sampled_executions FROM telemetry "
                                 "ORDER BY tenant_id, region_id, class, labels",
                soci::into(row.tenant), soci::into(row.probe), soci::into(row.region),
                soci::into(row.check_class), soci::into(row.labels), soci::into(row.executions),
                soci::into(row.seconds), soci::into(row.sampled));
        rows.execute();
        while (rows.fetch())
            out.push_back(row);
        return out;
    });
}

struct Figures {
    int executions = 0;
    float seconds = 0;
    int sampled = 0;
};
using Labels = std::vector<std::pair<std::string, std::string>>;

void say(pb::RegionTelemetry& message, std::int64_t tenant, const Figures& figures,
    const Labels& labels = {}, pb::CheckClass check_class = pb::PROTOCOL)
{
    auto* const of_tenant = message.add_telemetry();
    of_tenant->set_tenantid(tenant);
    auto* const entry = of_tenant->add_telemetry();
    entry->set_checkclass(check_class);
    entry->set_executions(figures.executions);
    entry->set_duration(figures.seconds);
    entry->set_sampledexecutions(figures.sampled);
    for (const auto& [name, value] : labels) {
        auto* const label = entry->add_costattributionlabels();
        label->set_name(name);
        label->set_value(value);
    }
}

/// A message of one process with one entry of the probe's tenant.
pb::RegionTelemetry message_of(
    const Plane& at, const std::string& instance, const Figures& figures, const Labels& labels = {})
{
    pb::RegionTelemetry message;
    message.set_instance(instance);
    say(message, at.tenant, figures, labels);
    return message;
}

void push(Plane& at, const pb::RegionTelemetry& message)
{
    pb::PushTelemetryResponse response;
    AgentCall call{at.token};
    REQUIRE(at.telemetry->PushTelemetry(&call, message, &response).ok());
    CHECK(response.has_status());
    CHECK(response.status().code() == pb::OK);
}

}  // namespace

TEST_SUITE("agent/control/rpc")
{
    TEST_CASE_FIXTURE(Plane, "telemetry: what an agent says more than before is added")
    {
        push(*this, message_of(*this, "a", {10, 2.5F, 10}));
        push(*this, message_of(*this, "a", {15, 4.0F, 16}));
        push(*this, message_of(*this, "a", {15, 4.0F, 16}));  // said again
        push(*this, message_of(*this, "a", {12, 3.0F, 12}));  // came late
        CHECK(sums(*this) == std::vector<Sum>{{tenant, probe, 0, "protocol", "", 15, 4, 16}});
        // The agent has started anew, and counts from nothing.
        push(*this, message_of(*this, "b", {3, 1.0F, 3}));
        push(*this, message_of(*this, "a", {16, 4.5F, 17}));  // the last of the old one
        CHECK(sums(*this) == std::vector<Sum>{{tenant, probe, 0, "protocol", "", 19, 5.5, 20}});
    }

    TEST_CASE_FIXTURE(Plane, "telemetry: apart by class, region and the labels that costs go by")
    {
        push(*this, message_of(*this, "a", {1, 1, 1}, {{"team", "web"}, {"site", "Bern Nord"}}));
        push(*this, message_of(*this, "a", {2, 1, 2}, {{"site", "Bern Nord"}, {"team", "web"}}));
        push(*this, message_of(*this, "a", {4, 1, 4}, {{"team", "__MISSING__"}}));
        pb::RegionTelemetry region;
        region.set_instance("a");
        region.set_regionid(3);
        say(region, tenant, {7, 1, 7}, {}, pb::BROWSER);
        push(*this, region);
        CHECK(sums(*this) == std::vector<Sum>{{tenant, probe, 0, "protocol",
                                                  "site=\"Bern Nord\" team=web", 2, 1, 2},
                                 {tenant, probe, 0, "protocol", "team=__MISSING__", 4, 1, 4},
                                 {tenant, probe, 3, "browser", "", 7, 1, 7}});
    }

    TEST_CASE_FIXTURE(Plane, "telemetry: what cannot be is dropped, the rest is taken")
    {
        pb::RegionTelemetry message;
        message.set_instance("a");
        const auto other = add_tenant(4);
        say(message, other, {1, 1, 1});  // not of this probe
        say(message, 0, {1, 1, 1});
        say(message, 99, {1, 1, 1});
        say(message, tenant, {-1, 1, 1});
        say(message, tenant, {1, -1, 1});
        say(message, tenant, {1, std::numeric_limits<float>::quiet_NaN(), 1});
        say(message, tenant, {1, std::numeric_limits<float>::infinity(), 1});
        say(message, tenant, {1, 1, -1});
        say(message, tenant, {1, 1, 1}, {}, static_cast<pb::CheckClass>(9));
        say(message, tenant, {1, 1, 1}, {{"team", std::string("a\0b", 3)}});
        say(message, tenant, {1, 1, 1}, {{"", "web"}});
        say(message, tenant, {1, 1, 1}, {{"te am", "web"}});
        say(message, tenant, {1, 1, 1}, Labels(33, {"team", "web"}));
        say(message, tenant, {5, 1, 5});
        const auto reckoned = write([&](Transaction& db) -> Result<store::Reckoned> {
            return store::add_telemetry(db, probe, message);
        });
        CHECK(reckoned.taken == 1);
        CHECK(reckoned.dropped == 13);
        CHECK(sums(*this) == std::vector<Sum>{{tenant, probe, 0, "protocol", "", 5, 1, 5}});
        for (const std::string& instance :
            {std::string{}, std::string("a\0b", 3), std::string(65, 'a')})
            push(*this, message_of(*this, instance, {9, 9, 9}));
        CHECK(sums(*this).size() == 1);
    }

    TEST_CASE_FIXTURE(
        Plane, "telemetry: a public probe works for all tenants, also for those that go")
    {
        const std::string its_token = control::new_probe_token();
        probe = write([&](Transaction& db) -> Result<std::int64_t> {
            control::PublicProbe entry;
            entry.key = "public";
            entry.probe.set_name("public");
            entry.token_sha256 = control::sha256_hex(its_token);
            if (auto applied = store::apply_public_probes(db, {entry}); !applied)
                return applied.error();
            return *store::probe_of_token(db, its_token);
        });
        token = its_token;
        const auto other = add_tenant(4);
        pb::RegionTelemetry message;
        message.set_instance("a");
        say(message, tenant, {1, 1, 1});
        say(message, other, {2, 2, 2});
        push(*this, message);
        write([&](Transaction& db) { return store::delete_tenant(db, other); });
        CHECK(sums(*this) == std::vector<Sum>{{tenant, probe, 0, "protocol", "", 1, 1, 1},
                                 {other, probe, 0, "protocol", "", 2, 2, 2}});
    }

    TEST_CASE_FIXTURE(Plane, "telemetry: a process that is only quiet is not forgotten")
    {
        push(*this, message_of(*this, "a", {10, 1, 10}));
        write([&](Transaction& db) -> Result<> {
            store::forget_silent_agents(db);
            return {};
        });
        push(*this, message_of(*this, "a", {11, 1, 11}));
        CHECK(sums(*this).at(0).executions == 11);
        write([&](Transaction& db) -> Result<> {
            db.sql() << "UPDATE telemetry_said SET said_us = 0";
            store::forget_silent_agents(db);
            int left = 1;
            db.sql() << "SELECT count(*) FROM telemetry_said", soci::into(left);
            CHECK(left == 0);
            return {};
        });
        CHECK(sums(*this).at(0).executions == 11);
    }
}
