#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using exporters::Origin;

namespace {

struct Fixture : LinkFixture {
    Fixture()
    {
        timings.telemetry_step = 0ms;
        telemetry_every = 10ms;
    }

    void completed(std::int64_t check_id, std::int64_t tenant_id, double seconds,
        const std::function<void(pb::Check&)>& change = {})
    {
        pb::Check check = idle_check(check_id, 1);
        check.set_tenantid(tenant_id);
        if (change)
            change(check);
        telemetry->completed(check, {Origin::api, tenant_id}, seconds);
    }
    /// The newest push of a region.
    pb::RegionTelemetry newest(std::int32_t region) const
    {
        pb::RegionTelemetry out;
        for (const pb::RegionTelemetry& push : api.seen().telemetry)
            if (push.regionid() == region)
                out = push;
        return out;
    }
    void until_pushes(std::size_t count)
    {
        until([&] { return api.seen().telemetry.size() >= count; });
    }
};

void label(pb::Check& check, const std::string& name, const std::string& value)
{
    check.add_labels()->set_name(name);
    check.mutable_labels(check.labels_size() - 1)->set_value(value);
}

}  // namespace

TEST_SUITE("agent/link/telemetry")
{
    TEST_CASE_FIXTURE(Fixture, "figures grow, by tenant and class")
    {
        build();
        completed(1, 1, 0.5);
        completed(2, 1, 61);
        completed(3, 2, 1, [](pb::Check& check) { check.mutable_settings()->mutable_scripted(); });
        completed(4, 2, 1, [](pb::Check& check) { check.mutable_settings()->mutable_browser(); });
        until_pushes(1);
        completed(1, 1, 0);
        until([&] {
            const auto push = newest(0);
            return push.telemetry_size() == 2 && push.telemetry(0).telemetry(0).executions() == 3;
        });
        const auto push = newest(0);
        CHECK(push.instance().size() == 36);
        CHECK(push.instance() == api.seen().telemetry[0].instance());
        CHECK(push.telemetry(0).tenantid() == 1);
        REQUIRE(push.telemetry(0).telemetry_size() == 1);
        const auto& row = push.telemetry(0).telemetry(0);
        CHECK(row.checkclass() == pb::PROTOCOL);
        CHECK(row.duration() == 61.5F);
        CHECK(row.sampledexecutions() == 3);  // 1 and 2 and none
        CHECK(row.costattributionlabels().empty());
        CHECK(push.telemetry(1).tenantid() == 2);
        REQUIRE(push.telemetry(1).telemetry_size() == 2);
        CHECK(push.telemetry(1).telemetry(0).checkclass() == pb::SCRIPTED);
        CHECK(push.telemetry(1).telemetry(1).checkclass() == pb::BROWSER);
        CHECK(metric("sm_agent_telemetry_push_requests_total", "0") >= 2);
        CHECK(metric("sm_agent_telemetry_push_requests_errors_total") == 0);
        CHECK(metric("sm_agent_telemetry_push_requests_total", push.instance()) >= 2);
    }

    TEST_CASE_FIXTURE(Fixture, "each region is told of its own, with local tenants")
    {
        build();
        completed(-1003, -7003, 1);
        completed(-1004, -7004, 2);
        completed(5, 7, 4);
        telemetry->completed(idle_check(1, 1), {Origin::file, 1}, 8);  // not the API's
        until([&] {
            return newest(3).regionid() == 3 && newest(4).regionid() == 4 &&
                   !newest(0).telemetry().empty();
        });
        for (const auto& [region, seconds] : {std::pair{3, 1.F}, {4, 2.F}, {0, 4.F}}) {
            CAPTURE(region);
            const auto push = newest(region);
            REQUIRE(push.telemetry_size() == 1);
            CHECK(push.telemetry(0).tenantid() == 7);
            CHECK(push.telemetry(0).telemetry(0).duration() == seconds);
        }
    }

    TEST_CASE_FIXTURE(Fixture, "costs go by the labels the tenant names, whatever is in them")
    {
        build();
        pb::Tenant tenant = whole_tenant(1);
        for (const char* name : {"team", "centre"})
            tenant.add_costattributionlabels(name);
        tenants->told(tenant);
        completed(1, 1, 1, [](pb::Check& check) { label(check, "team", "a,b=c"); });
        completed(2, 1, 1, [](pb::Check& check) { label(check, "team", "a,b=c"); });
        completed(3, 1, 1, [](pb::Check& check) { label(check, "centre", ""); });
        until_pushes(1);
        const auto push = newest(0);
        REQUIRE(push.telemetry_size() == 1);
        REQUIRE(push.telemetry(0).telemetry_size() == 2);
        const auto text = [](const pb::CheckClassTelemetry& row) {
            std::string out;
            for (const auto& each : row.costattributionlabels())
                out += each.name() + ":" + each.value() + ";";
            return out + std::to_string(row.executions());
        };
        CHECK(text(push.telemetry(0).telemetry(0)) == "centre:;team:__MISSING__;1");
        CHECK(text(push.telemetry(0).telemetry(1)) == "centre:__MISSING__;team:a,b=c;2");
    }

    TEST_CASE_FIXTURE(Fixture, "a push that is not accepted is counted; the next comes in its time")
    {
        api.next_telemetry({Code::unavailable, "later"});
        api.next_telemetry({Code::ok, "", pb::INTERNAL_ERROR});
        build();
        completed(1, 1, 1);
        until_pushes(3);
        until([&] { return metric("sm_agent_telemetry_push_requests_total") >= 3; });
        CHECK(metric("sm_agent_telemetry_push_requests_errors_total") == 2);
        CHECK(newest(0).telemetry(0).telemetry(0).executions() == 1);
    }

    TEST_CASE("an API that takes no telemetry is told of once and asked again, seldom")
    {
        LinkFixture fixture{FakeControl::Offers{.telemetry = false}};
        fixture.timings.telemetry_step = 0ms;
        fixture.timings.service_retry = 5ms;
        fixture.telemetry_every = 1ms;
        fixture.build();
        const LogCapture log;
        fixture.telemetry->completed(idle_check(1, 1), {Origin::api, 1}, 1);
        fixture.until(
            [&] { return fixture.metric("sm_agent_telemetry_push_requests_errors_total") >= 3; });
        CHECK(log.count("the API takes no telemetry") == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "at the end there is a last push, after which nothing counts")
    {
        telemetry_every = 1h;
        build();
        completed(1, 1, 1);
        completed(-1003, -1003, 1);
        following.spawn(telemetry->push_last(5s));
        until_pushes(2);
        until([&] { return following.empty(); });
        completed(1, 1, 1);
        stop();
        CHECK(api.seen().telemetry.size() == 2);
    }

    TEST_CASE_FIXTURE(Fixture, "a last push that is not answered does not hold up the end")
    {
        telemetry_every = 1h;
        api.next_telemetry({.never = true});
        build();
        completed(1, 1, 1);
        completed(-1003, -1003, 1);
        following.spawn(telemetry->push_last(30ms));
        until([&] { return following.empty(); });
        CHECK(api.seen().telemetry.size() == 1);
    }
}
