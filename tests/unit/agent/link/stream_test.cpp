// The change stream of a session: what its messages do to the schedule, and what no message is.
#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;
using schedule::Origin;

namespace {

constexpr exporters::TenantKey tenant_five{exporters::Origin::api, 5};

pb::Tenant tenant(std::int64_t id, double modified, const std::string& url)
{
    pb::Tenant out;
    out.set_id(id);
    out.set_modified(modified);
    out.mutable_metricsremote()->set_url(url);
    out.mutable_eventsremote()->set_url(url);
    return out;
}

std::string url_of(LinkFixture& fixture, exporters::TenantKey key)
{
    const auto known = await(fixture.loop, fixture.tenants->tenant(key));
    return known ? (*known)->metrics->url : known.error().message;
}

}  // namespace

TEST_SUITE("agent/link/stream")
{
    TEST_CASE_FIXTURE(LinkFixture, "a first message is all there is: others of the API end")
    {
        build();
        const auto probe = std::make_shared<const pb::Probe>();
        schedule->put(Origin::api, idle_check(1, 10), probe);
        schedule->put(Origin::api, idle_check(2, 20), probe);
        schedule->put(Origin::file, idle_check(3, 30), probe);
        start();
        api.send(Message{}.add(idle_check(2, 20)).add(idle_check(4, 40)).changes);
        until_on_schedule({{2, 20}, {4, 40}});
        CHECK(known_of(api.seen().followed[0]) == Known{{1, 10}, {2, 20}});
        CHECK(schedule->known(Origin::file).size() == 1);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a first message that is empty ends all checks of the API")
    {
        build();
        schedule->put(Origin::api, idle_check(1, 10), std::make_shared<const pb::Probe>());
        start();
        api.send(pb::Changes{});
        until_on_schedule({});
    }

    TEST_CASE_FIXTURE(LinkFixture, "later messages add, replace and end checks one by one")
    {
        start();
        api.send(Message{}.add(idle_check(1, 10)).changes);
        api.send(Message{}.add(idle_check(2, 20)).changes);
        until_on_schedule({{1, 10}, {2, 20}});
        api.send(Message{}.update(idle_check(1, 11)).add(idle_check(3, 30)).changes);
        until_on_schedule({{1, 11}, {2, 20}, {3, 30}});
        api.send(Message{}.remove(2).changes);
        until_on_schedule({{1, 11}, {3, 30}});
        CHECK(metric("sm_agent_updater_change_errors_total") == 0);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a change that cannot be carried out is counted; others are not")
    {
        start();
        api.send(Message{}.add(idle_check(1, 10)).changes);
        pb::Check bad = idle_check(2, 20);
        bad.set_timeout(bad.frequency() + 1);
        api.send(Message{}
                .add(idle_check(1, 11))
                .add(bad)
                .remove(9)
                .update(idle_check(3, 30))
                .put(static_cast<pb::CheckOperation>(77), idle_check(1, 12))
                .changes);
        until_on_schedule({{1, 10}, {3, 30}});
        CHECK(metric("sm_agent_updater_change_errors_total", "add") == 2);
        CHECK(metric("sm_agent_updater_change_errors_total", "delete") == 1);
        CHECK(metric("sm_agent_updater_change_errors_total", "update") == 0);
        CHECK(metric("sm_agent_updater_change_errors_total", "unknown") == 1);
        CHECK(link->connected());
    }

    TEST_CASE_FIXTURE(LinkFixture, "checks of a region keep their global ids")
    {
        api.set_checks({idle_check(-1234003, 10)});
        start();
        until_on_schedule({{-1234003, 10}});
        api.end_stream(Code::unavailable);
        until_sessions(2);
        CHECK(known_of(api.seen().followed[1]) == Known{{-1234003, 10}});
    }

    TEST_CASE_FIXTURE(LinkFixture, "the stream tells about tenants, but not in a snapshot")
    {
        api.set_tenant(tenant(5, 1, "http://asked"));
        start();
        Message snapshot;
        *snapshot.changes.add_tenants() = tenant(5, 9, "http://snapshot");
        api.send(snapshot.add(idle_check(1, 10)).changes);
        until_on_schedule({{1, 10}});
        CHECK(url_of(*this, tenant_five) == "http://asked/push");

        Message later;
        *later.changes.add_tenants() = tenant(5, 2, "http://told");
        api.send(later.add(idle_check(2, 20)).changes);
        until_on_schedule({{1, 10}, {2, 20}});
        CHECK(url_of(*this, tenant_five) == "http://told/push");
        CHECK(api.seen().tenants.size() == 1);
    }

    TEST_CASE_FIXTURE(LinkFixture, "the first message may be a difference, tenants and all")
    {
        build();
        schedule->put(Origin::api, idle_check(1, 10), std::make_shared<const pb::Probe>());
        start();
        Message first;
        first.changes.set_isdeltafirstbatch(true);
        *first.changes.add_tenants() = tenant(5, 1, "http://told");
        api.send(first.add(idle_check(2, 20)).changes);
        until_on_schedule({{1, 10}, {2, 20}});
        CHECK(url_of(*this, tenant_five) == "http://told/push");
    }

    TEST_CASE_FIXTURE(LinkFixture, "a message that is too large ends the session, no more")
    {
        max_message_bytes = 64 << 10;
        start();
        pb::Check large = idle_check(1, 10);
        large.mutable_settings()->mutable_tcp()->add_queryresponse()->set_send(
            std::string(100 << 10, 'x'));
        api.send(Message{}.add(large).changes);
        until_sessions(2);
        api.send(Message{}.add(idle_check(2, 20)).changes);
        until_on_schedule({{2, 20}});
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a message that cannot be read ends the session, no more")
    {
        start();
        Message garbled;
        garbled.changes.GetReflection()
            ->MutableUnknownFields(&garbled.changes)
            ->AddLengthDelimited(1, "\xff\xff");  // a change that is none
        api.send(garbled.changes);
        until_sessions(2);
        api.send(Message{}.add(idle_check(2, 20)).changes);
        until_on_schedule({{2, 20}});
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a probe that cannot be read is no session")
    {
        pb::Probe garbled;
        garbled.GetReflection()->MutableUnknownFields(&garbled)->AddLengthDelimited(6, "\xff\xff");
        api.set_probe(garbled);
        start();
        until([&] { return api.seen().registered.size() >= 3; });
        CHECK_FALSE(link->ever_connected());
        CHECK_FALSE(given_up);
    }
}
