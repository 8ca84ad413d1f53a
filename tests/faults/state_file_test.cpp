// What an API has told is known to the next life of the program, also while the API is away.
#include "tests/faults/program.h"
#include "tests/support/fake_control.h"
#include "tests/support/push_receiver.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <optional>

using namespace sonde;
using tests::FakeControl;

namespace {

constexpr std::int64_t tenant_id = 1;

/// A probe that has all from an API: itself, one check, and where its tenant's results go.
struct Remembering {
    tests::PushReceiver remote;
    std::optional<FakeControl> control{std::in_place};
    tests::Program program;
    std::string state_file = program.folder().path("state/known");

    Remembering()
    {
        pb::Probe probe;
        probe.set_id(7);
        probe.set_name("Here");
        probe.set_region("TEST");
        control->set_probe(probe);
        pb::Tenant tenant;
        tenant.set_id(tenant_id);
        tenant.set_modified(1);
        tenant.mutable_metricsremote()->set_url(remote.url("/metrics"));
        tenant.mutable_eventsremote()->set_url(remote.url("/logs"));
        control->set_tenant(tenant);
        control->set_checks({check()});
        program.configure(program.head() +
                          fmt::format("api: {{address: \"127.0.0.1:{}\", tls: false, state_file: "
                                      "{}}}\n",
                              control->port(), state_file));
    }

    pb::Check check() const
    {
        pb::Check check;
        check.set_id(11);
        check.set_tenantid(tenant_id);
        check.set_job("told");
        check.set_target(fmt::format("127.0.0.1:{}", remote.port()));
        check.set_frequency(1000);
        check.set_timeout(1000);
        check.set_enabled(true);
        check.add_probes(7);
        check.set_modified(1);
        check.mutable_settings()->mutable_tcp();
        return check;
    }

    void start() { program.start({"SM_AGENT_API_TOKEN=fake-token"}); }
    std::size_t samples() const { return remote.samples("probe_success", "told").size(); }

    /// Results arrive of runs that begin from now on.
    void await_results() const
    {
        const auto before = samples();
        const auto lines = remote.lines("told");
        tests::await("results arrive:\n" + program.log(),
            [&] { return samples() > before + 1 && remote.lines("told") > lines + 1; });
    }

    /// A first life, in which all is told, and the API's end.
    void learn()
    {
        start();
        await_results();
        CHECK(program.stop() == 0);
        control.reset();
    }
};

}  // namespace

TEST_SUITE_BEGIN("faults/state_file");

TEST_CASE("the API is away at the start: the checks and tenants of before run and are pushed")
{
    Remembering life;
    life.learn();
    life.start();
    life.await_results();
    CHECK(life.program.said("the API is away: the checks it gave before the start go on"));
    CHECK(life.program.get("/ready").status == 503);  // there is no session
    CHECK(life.program.metric("sm_agent_api_connection_status") == 0);
    CHECK(life.program.stop() == 0);
    CHECK(life.remote.totals().conflicting == 0);

    life.program.start({"SM_AGENT_API_TOKEN=fake-token"});  // what is known lasts
    life.await_results();
    life.program.kill();
    life.start();
    life.await_results();
    CHECK(life.program.stop() == 0);
}

TEST_CASE("a damaged state file is said and ignored; with the API back it is written anew")
{
    Remembering life;
    life.start();
    life.await_results();
    CHECK(life.program.stop() == 0);
    {
        std::fstream bytes{life.state_file, std::ios::in | std::ios::out | std::ios::binary};
        REQUIRE(bytes.is_open());
        bytes.seekp(-3, std::ios::end);
        bytes.put('\x7f');
    }
    life.start();
    tests::await("it says so:\n" + life.program.log(),
        [&] { return life.program.said("the state file is ignored"); });
    CHECK(life.program.said("its checksum is another"));
    life.await_results();  // the API is there
    CHECK(life.program.stop() == 0);

    life.control.reset();
    life.start();
    life.await_results();
    CHECK(life.program.stop() == 0);
}

TEST_CASE("neither API nor a state file that can be read: nothing runs, and the process stays")
{
    Remembering life;
    life.learn();
    life.program.folder().write("state/known", "sonde-api-state 9 \n");
    const auto before = life.remote.totals().requests;
    life.start();
    tests::await("it has tried the API:\n" + life.program.log(), [&] {
        return life.program.said("the state file is ignored") &&
               life.program.said("no session with the API, trying again");
    });
    CHECK(life.program.metric("sm_agent_scraper_operations_total") == 0);
    CHECK(life.program.get("/live").status == 200);
    CHECK(life.program.stop() == 0);
    CHECK(life.remote.totals().requests == before);
}

TEST_SUITE_END();
