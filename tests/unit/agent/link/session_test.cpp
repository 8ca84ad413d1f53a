#include "agent/base/version.h"
#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

struct Outcome {
    FakeControl::Answer answer;
    std::string_view reason;  ///< of giving up; empty: the agent comes again
};

}  // namespace

TEST_SUITE("agent/link/session")
{
    TEST_CASE_FIXTURE(LinkFixture, "a session registers with version and token, then follows")
    {
        start();
        until_connected();
        const auto seen = api.seen();
        REQUIRE(seen.registered.size() == 1);
        CHECK(seen.registered[0].version() == version::number);
        CHECK(seen.registered[0].commit() == version::commit);
        CHECK(seen.registered[0].buildstamp() == version::built);
        CHECK(seen.refused == 0);  // every call had the token
        CHECK(known_of(seen.followed[0]).empty());
        CHECK(link->ever_connected());
        CHECK(metric("sm_agent_api_connection_status") == 1);
        CHECK(metric("sm_agent_info") == 1);
        stop();
        CHECK(metric("sm_agent_api_connection_status") == 0);
    }

    TEST_CASE("what RegisterProbe is answered decides whether the agent comes again")
    {
        const Outcome outcomes[] = {
            {{Code::permission_denied, "go away"}, "not_authorized"},
            {{Code::unimplemented, "what?"}, "unimplemented"},
            {{Code::ok, "go away", pb::NOT_AUTHORIZED}, "not_authorized"},
            {{Code::ok, "another one is here", pb::ALREADY_EXISTS}, ""},
            {{Code::ok, "no", pb::NOT_FOUND}, ""},
            {{Code::ok, "oh", pb::INTERNAL_ERROR}, ""},
            {{Code::unauthenticated, "who?"}, ""},
            {{Code::unavailable, "later"}, ""},
            {{Code::aborted, "later"}, ""},
            {{Code::unknown, "token not found"}, ""},
            {{Code::internal, "oh"}, ""},
            {{Code::cancelled, "oh"}, ""},
        };
        for (const auto& [answer, reason] : outcomes) {
            CAPTURE(static_cast<int>(answer.code));
            CAPTURE(static_cast<int>(answer.status));
            LinkFixture fixture;
            fixture.api.next_register(answer);
            fixture.start();
            if (reason.empty()) {
                fixture.until_connected();
                CHECK(fixture.api.seen().registered.size() == 2);
                CHECK_FALSE(fixture.given_up);
            } else {
                fixture.until([&] { return fixture.given_up.has_value(); });
                CHECK(fixture.given_up->reason == reason);
                CHECK(fixture.given_up->message.find(answer.text) != std::string::npos);
                CHECK_FALSE(fixture.link->ever_connected());
                CHECK(fixture.api.seen().registered.size() == 1);
            }
        }
    }

    TEST_CASE_FIXTURE(LinkFixture, "a token that is not known yet is tried until it is")
    {
        token = config::Secret{"new-token"};
        start();
        until([&] { return api.seen().refused >= 3; });
        CHECK_FALSE(link->ever_connected());
        CHECK(metric("sm_agent_api_connection_status") == 0);
        api.set_token("new-token");
        until_connected();
    }

    TEST_CASE_FIXTURE(LinkFixture, "a token that is refused for good ends the link")
    {
        token = config::Secret{"old-token"};
        api.refuse_with(Code::permission_denied);
        start();
        until([&] { return given_up.has_value(); });
        CHECK(given_up->reason == "not_authorized");
        CHECK(api.seen().refused == 1);
    }

    TEST_CASE("a token that no header can carry is refused, and not shown")
    {
        for (const std::string token :
            {"secret\ntoken", "secret\x7f", "secr\xc3\xa9t", "\tsecret"}) {
            config::ApiConfig config;
            config.address = {"127.0.0.1", 1};
            config.token = config::Secret{token};
            const auto channel = link::open_channel(config);
            REQUIRE_FALSE(channel.has_value());
            CHECK(channel.error().reason == "bad_token");
            CHECK(channel.error().message.find("secr") == std::string::npos);
        }
    }

    TEST_CASE("trust anchors that cannot be read are refused by name")
    {
        config::ApiConfig config;
        config.address = {"127.0.0.1", 1};
        config.ca_file = "/nonexistent/ca.pem";
        const auto channel = link::open_channel(config);
        REQUIRE_FALSE(channel.has_value());
        CHECK(channel.error().reason == "tls_config");
        CHECK(channel.error().message ==
              "api.ca_file: /nonexistent/ca.pem: No such file or directory");
    }

    TEST_CASE_FIXTURE(LinkFixture, "how a stream ends decides what follows")
    {
        const std::pair<Code, std::string_view> ends[] = {{Code::ok, ""}, {Code::unavailable, ""},
            {Code::aborted, ""}, {Code::unknown, ""}, {Code::internal, ""}, {Code::cancelled, ""},
            {Code::unauthenticated, ""}, {Code::permission_denied, "not_authorized"},
            {Code::unimplemented, "unimplemented"}};
        api.set_checks({idle_check(1, 10)});
        build();
        for (const auto& [code, reason] : ends) {
            CAPTURE(static_cast<int>(code));
            const auto before = api.seen().followed.size();
            given_up.reset();
            start();
            until_sessions(before + 1);
            until_on_schedule({{1, 10}});
            api.end_stream(code, "told so");
            if (reason.empty()) {
                until_sessions(before + 2);
                CHECK_FALSE(given_up);
                following.cancel();
                until([&] { return following.empty(); });
            } else {
                until([&] { return given_up.has_value(); });
                CHECK(given_up->reason == reason);
                CHECK(given_up->message.find("told so") != std::string::npos);
            }
            CHECK(on_schedule() == Known{{1, 10}});  // checks run on without an API
        }
    }

    TEST_CASE_FIXTURE(LinkFixture, "a new session resumes with what is on schedule")
    {
        api.set_checks({idle_check(1, 10), idle_check(2, 20.125), idle_check(3, 30)});
        start();
        until_on_schedule({{1, 10}, {2, 20.125}, {3, 30}});
        const double received = metric("sm_agent_updater_changes_total");
        CHECK(received == 3);
        api.end_stream(Code::unavailable);
        until_sessions(2);
        CHECK(known_of(api.seen().followed[1]) == Known{{1, 10}, {2, 20.125}, {3, 30}});

        api.set_checks({idle_check(1, 10), idle_check(2, 21), idle_check(4, 40)});
        api.end_stream(Code::unavailable);
        until_on_schedule({{1, 10}, {2, 21}, {4, 40}});
        CHECK(metric("sm_agent_updater_changes_total", "update") == 1);
        CHECK(metric("sm_agent_updater_changes_total", "delete") == 1);
        CHECK(metric("sm_agent_updater_changes_total", "add") == 4);  // nothing was sent twice
        CHECK(metric("sm_agent_updater_change_errors_total") == 0);
        CHECK(metric("sonde_link_sessions_lost_total") == 2);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a session that was established lets the back-off begin anew")
    {
        // Eight steps lead to an hour: only a reset brings the agent back in time.
        timings.longest_backoff = 1h;
        start();
        for (std::size_t session = 1; session <= 15; ++session) {
            until_sessions(session);
            api.end_stream(Code::unavailable);
        }
        until_sessions(16);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a link that waits for its next attempt can be stopped")
    {
        timings.first_backoff = timings.longest_backoff = 1h;
        api.next_register({Code::unavailable, "later"});
        start();
        until([&] { return api.seen().registered.size() == 1 && api.seen().under_way == 0; });
        stop();
        CHECK(api.seen().registered.size() == 1);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a link whose registration is not answered can be stopped")
    {
        api.next_register({.never = true});
        start();
        until([&] { return api.seen().under_way == 1; });
        stop();
        CHECK_FALSE(given_up);
    }

    TEST_CASE_FIXTURE(LinkFixture, "a link can be stopped while its stream and its ping are silent")
    {
        api.next_ping({.never = true});
        start();
        until([&] { return api.seen().under_way == 2; });
        stop();
        CHECK(metric("sonde_link_sessions_lost_total") == 1);
    }
}
