// What the process before this one knew: run when the API is away, of no account when it is there.
#include "tests/support/scratch_folder.h"
#include "tests/unit/agent/link/link_fixture.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

struct Fixture : LinkFixture {
    ScratchFolder folder;

    Fixture()
    {
        state_path = folder.path("api.state");
        stored.api = api_name;
        stored.probe.set_id(7);
        stored.probe.set_name("Here");
        stored.checks = {idle_check(1, 10), idle_check(2, 20)};
        stored.tenants = {whole_tenant(1)};
        timings.first_backoff = timings.longest_backoff = 20ms;
    }
    ~Fixture() { stop(); }  // while the folder is there
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    void write() const { folder.write("api.state", link::encode(stored)); }
    void until_written(const std::string& what)
    {
        until([&] {
            return std::filesystem::exists(state_path) &&
                   content_of(state_path).find(what) != std::string::npos;
        });
    }

    link::ApiState stored;
};

/// No API at all.
constexpr std::uint16_t nobody = 1;

}  // namespace

TEST_SUITE("agent/link/resume")
{
    TEST_CASE_FIXTURE(Fixture, "while the API is away, the checks of before go on")
    {
        stored.checks = {busy_check(1, address()), busy_check(2, address())};
        write();
        port = nobody;
        const LogCapture log;
        start();
        until([&] { return results.results() >= 4; });
        CHECK(on_schedule() == Known{{1, 1}, {2, 1}});
        CHECK_FALSE(link->ever_connected());
        CHECK(results.lost(exporters::GapReason::no_tenant) == 0);
        CHECK(log.count("the checks it gave before the start go on") == 1);
    }

    TEST_CASE_FIXTURE(Fixture, "an API that does not answer at all is away as well")
    {
        timings.answer_limit = 1h;
        api.next_register({.never = true});
        write();
        start();
        until_on_schedule({{1, 10}, {2, 20}});
    }

    TEST_CASE_FIXTURE(Fixture, "when the API comes, what it still lists goes on undisturbed")
    {
        stored.checks = {busy_check(1, address()), idle_check(2, 20), idle_check(3, 30)};
        write();
        api.next_register({Code::unavailable, "later"});
        pb::Check changed = idle_check(2, 21);
        api.set_checks({stored.checks[0], changed, idle_check(4, 40)});
        api.set_tenant(whole_tenant(1));
        start();
        until_on_schedule({{1, 1}, {2, 20}, {3, 30}});
        until_on_schedule({{1, 1}, {2, 21}, {4, 40}});
        CHECK(known_of(api.seen().followed[0]) == Known{{1, 1}, {2, 20}, {3, 30}});
        const auto before = results.results();
        until([&] { return results.results() >= before + 2; });
        for (const auto& payload : results.payloads)
            CHECK(payload.run_of.has_value());  // no series has been ended
        until_written(changed.SerializeAsString());
        const auto kept = link::decode_state(content_of(state_path));
        REQUIRE(kept.has_value());
        CHECK(kept->checks.size() == 3);
    }

    TEST_CASE_FIXTURE(Fixture, "an API that answers at once is all that counts")
    {
        write();
        timings.first_backoff = timings.longest_backoff = 1h;
        api.set_checks({idle_check(9, 90)});
        start();
        until_on_schedule({{9, 90}});
        CHECK(known_of(api.seen().followed[0]).empty());
        until_written(idle_check(9, 90).SerializeAsString());
        const auto kept = link::decode_state(content_of(state_path));
        REQUIRE(kept.has_value());
        CHECK(kept->checks.size() == 1);
        CHECK(kept->tenants.size() == 1);  // its tenant is one of before
    }

    TEST_CASE("an API that is there but does not want this probe lets nothing go on")
    {
        const FakeControl::Answer answers[] = {
            {Code::ok, "another one is here", pb::ALREADY_EXISTS},
            {Code::unauthenticated, "who?"},
            {Code::unknown, "token not found"},
        };
        for (const auto& answer : answers) {
            CAPTURE(answer.text);
            Fixture fixture;
            fixture.write();
            // Until then it may answer before the checks of before go on.
            fixture.timings.first_backoff = fixture.timings.longest_backoff = 1s;
            for (int i = 0; i < 2; ++i)
                fixture.api.next_register(answer);
            fixture.start();
            fixture.until([&] { return fixture.api.seen().registered.size() >= 2; });
            CHECK(fixture.on_schedule().empty());
        }
    }

    TEST_CASE_FIXTURE(Fixture, "checks that went on as another probe go on as this one")
    {
        stored.probe.set_name("There");
        stored.checks = {busy_check(1, address())};
        write();
        api.next_register({Code::unavailable, "later"});
        api.set_checks(stored.checks);
        api.set_tenant(whole_tenant(1));
        start();
        const auto probe_of_last = [&] {
            for (const auto& label : results.payloads.back().series->labels(0))
                if (label.name == "probe")
                    return label.value;
            return std::string{};
        };
        until([&] { return !results.payloads.empty() && probe_of_last() == "Here"; });
        CHECK(on_schedule() == Known{{1, 1}});
    }

    TEST_CASE_FIXTURE(Fixture, "a file that cannot be used is as good as none")
    {
        folder.write("api.state", "garbage");
        api.next_register({Code::unavailable, "later"});
        api.set_checks({idle_check(1, 10)});
        start();
        until_on_schedule({{1, 10}});
        until_written(idle_check(1, 10).SerializeAsString());
    }

    TEST_CASE_FIXTURE(Fixture, "what the API has told is there for the next process")
    {
        api.set_checks({idle_check(1, 10)});
        api.set_tenant(whole_tenant(1));
        timings.state_delay = 1h;
        start();
        until_on_schedule({{1, 10}});
        await(loop, tenants->tenant({exporters::Origin::api, 1}));
        stop();
        const auto kept = link::decode_state(content_of(state_path));
        REQUIRE(kept.has_value());
        CHECK(kept->api == api_name);
        CHECK(kept->probe.name() == "Here");
        CHECK(kept->checks.size() == 1);
        CHECK(kept->tenants.size() == 1);
    }

    TEST_CASE_FIXTURE(
        LinkFixture, "an API that goes away for half a tenant's validity costs no run")
    {
        // Seven minutes are 420 ms here, and so is everything else a thousandth.
        timings.first_backoff = 2ms;
        timings.longest_backoff = 30ms;
        timings.tenant_valid = 900ms;
        timings.tenant_jitter = 225ms;
        timings.tenant_retry = 30ms;
        api.set_checks({busy_check(1, address())});
        api.set_tenant(whole_tenant(1));
        start();
        until([&] { return results.results() >= 1; });
        for (int i = 0; i < 500; ++i) {
            api.next_register({Code::unavailable, "away"});
            api.next_tenant({Code::unavailable, "away"});
        }
        api.end_stream(Code::unavailable, "away");
        const auto until_then = std::chrono::steady_clock::now() + 1500ms;
        until([&] { return std::chrono::steady_clock::now() > until_then; });  // and beyond 15 min
        const auto during = results.results();
        until([&] { return results.results() >= during + 3; });
        CHECK_FALSE(link->connected());
        CHECK(results.lost(exporters::GapReason::no_tenant) == 0);
        CHECK(results.lost(exporters::GapReason::removed) == 0);
    }
}
