#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/link/ping")
{
    TEST_CASE_FIXTURE(LinkFixture, "pings are counted from zero, in each session anew")
    {
        timings.ping_every = 1ms;
        start();
        until([&] { return api.seen().pings.size() >= 4; });
        auto pings = api.seen().pings;
        pings.resize(4);
        CHECK(pings == std::vector<std::int64_t>{0, 1, 2, 3});
        CHECK(api.seen().followed.size() == 1);

        api.end_stream(Code::unavailable);
        until_sessions(2);
        const auto before = api.seen().pings.size();
        until([&] { return api.seen().pings.size() >= before + 2; });
        pings = api.seen().pings;
        CHECK(std::count(pings.begin(), pings.end(), 0) == 2);
        CHECK(std::count(pings.begin(), pings.end(), 1) == 2);
    }

    TEST_CASE_FIXTURE(LinkFixture, "the first ping comes at once")
    {
        timings.ping_every = 1h;
        start();
        until([&] { return api.seen().pings.size() == 1; });
    }

    TEST_CASE_FIXTURE(LinkFixture, "a ping that fails ends the session, and another begins")
    {
        for (const Code code : {Code::unavailable, Code::internal, Code::unauthenticated})
            api.next_ping({code, "no"});
        start();
        until_sessions(4);
        until([&] { return api.seen().pings.size() == 4; });
        CHECK(api.seen().pings == std::vector<std::int64_t>{0, 0, 0, 0});
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a ping that is forbidden ends the link")
    {
        api.next_ping({Code::permission_denied, "go away"});
        start();
        until([&] { return given_up.has_value(); });
        CHECK(given_up->reason == "not_authorized");
        CHECK(given_up->message == "Ping: go away (gRPC code 7): check api.token");
    }

    TEST_CASE_FIXTURE(LinkFixture, "an API that has no pings is not asked for more")
    {
        timings.ping_every = 1ms;
        api.next_ping({Code::unimplemented, "what?"});
        start();
        until([&] { return api.seen().pings.size() == 1; });
        for (int i = 1; i <= 20; ++i) {
            api.send(Message{}.add(idle_check(i, i)).changes);
            until([&] { return on_schedule().size() == static_cast<std::size_t>(i); });
        }
        CHECK(api.seen().pings.size() == 1);
        CHECK(api.seen().followed.size() == 1);
        api.end_stream(Code::unavailable);  // the stream still tells when a session is over
        until_sessions(2);
    }

    TEST_CASE_FIXTURE(LinkFixture, "an API that loses its pings on the way is given up")
    {
        timings.ping_every = 1ms;
        api.next_ping({});
        api.next_ping({Code::unimplemented, "what?"});
        start();
        until([&] { return given_up.has_value(); });
        CHECK(given_up->reason == "unimplemented");
    }
}
