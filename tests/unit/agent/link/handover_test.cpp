// One agent makes way for another, and a token for the next.
#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/link/handover")
{
    TEST_CASE_FIXTURE(LinkFixture, "stepping aside gives up stream and pings; checks go on")
    {
        api.set_checks({busy_check(1, address())});
        api.set_tenant(whole_tenant(1));
        start();
        until_on_schedule({{1, 1}});
        link->step_aside(1h);
        until([&] { return !link->connected() && api.seen().under_way == 0; });
        CHECK(metric("sm_agent_api_connection_status") == 0);
        CHECK(link->ever_connected());
        const auto before = results.results();
        until([&] { return results.results() >= before + 3; });
        CHECK(on_schedule() == Known{{1, 1}});
        CHECK(api.seen().registered.size() == 1);
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(LinkFixture, "after that time it registers again, knowing what it runs")
    {
        api.set_checks({idle_check(1, 10)});
        start();
        until_on_schedule({{1, 10}});
        link->step_aside(30ms);
        until_sessions(2);
        CHECK(known_of(api.seen().followed[1]) == Known{{1, 10}});
    }

    TEST_CASE_FIXTURE(LinkFixture, "whoever steps aside once more does so from then on")
    {
        timings.first_backoff = timings.longest_backoff = 1h;
        api.next_register({Code::unavailable, "later"});
        start();
        const LogCapture log;
        until([&] { return log.count("trying again") == 1; });
        link->step_aside(2h);  // from within the wait
        link->step_aside(30ms);
        until_connected();
    }

    TEST_CASE_FIXTURE(LinkFixture, "while another agent has the probe, it comes again and again")
    {
        for (int i = 0; i < 5; ++i)
            api.next_register({Code::ok, "another one is here", pb::ALREADY_EXISTS});
        start();
        until_connected();
        CHECK(api.seen().registered.size() == 6);
    }

    TEST_CASE_FIXTURE(LinkFixture, "one that has stepped aside can be stopped")
    {
        start();
        until_connected();
        link->step_aside(1h);
        until([&] { return !link->connected(); });
        stop();
    }

    TEST_CASE_FIXTURE(LinkFixture, "another token takes effect at once, in a session and out of it")
    {
        start();
        until_connected();
        until([&] { return api.seen().pings.size() == 1 && api.seen().under_way == 1; });
        api.set_token("second");
        REQUIRE(link->set_token(config::Secret{"second"}).has_value());
        until_sessions(2);
        CHECK(api.seen().refused == 0);

        timings.first_backoff = 1ms;
        api.set_token("third");
        api.end_stream(Code::unavailable);
        until([&] { return api.seen().refused > 0; });
        REQUIRE(link->set_token(config::Secret{"third"}).has_value());
        until_sessions(3);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a token that no header can carry changes nothing")
    {
        start();
        until_connected();
        const auto refused = link->set_token(config::Secret{"secr\n"});
        REQUIRE(refused.has_error());
        CHECK(refused.error().reason == "bad_token");
        REQUIRE(link->set_token(token).has_value());  // the one it has: no new session
        api.send(Message{}.add(idle_check(1, 10)).changes);
        until_on_schedule({{1, 10}});
        CHECK(api.seen().followed.size() == 1);
    }
}
