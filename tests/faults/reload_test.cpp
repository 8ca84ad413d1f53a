// The options are read again while the program runs (spec 07 §9).
#include "tests/faults/program.h"
#include "tests/support/fake_control.h"
#include "tests/support/push_receiver.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <initializer_list>
#include <string_view>

using namespace sonde;
using tests::FakeControl;

namespace {

/// A probe of an API, with checks of its own in the file, that pushes to a receiver.
struct Reloading {
    FakeControl control;
    tests::PushReceiver remote;
    tests::Program program;

    Reloading() { write_token("fake-token"); }

    void write_token(const std::string& token) const { program.folder().write("token", token); }

    /// @param status_options of its section; `more` stands before the checks.
    std::string options(std::initializer_list<std::string_view> jobs,
        const std::string& status_options = "", const std::string& more = "") const
    {
        std::string out = program.head("allow_reload: true, results: true" + status_options);
        out += fmt::format("api: {{address: \"127.0.0.1:{}\", tls: false, token_file: {}}}\n"
                           "tenants: [{{metrics: {{push_url: \"{}\"}}}}]\n{}checks:\n",
            control.port(), program.folder().path("token"), remote.url("/metrics"), more);
        for (const std::string_view job : jobs)
            out += fmt::format("  - {{job: {}, target: \"127.0.0.1:{}\", frequency: 1000, "
                               "timeout: 1000, settings: {{tcp: {{}}}}}}\n",
                job, remote.port());
        return out;
    }

    void start(std::initializer_list<std::string_view> jobs)
    {
        program.configure(options(jobs));
        program.start();
        await_session(1);
    }

    void await_session(std::size_t number) const
    {
        tests::await(fmt::format("session {}\n{}", number, program.log()), [&] {
            return control.seen().followed.size() == number && program.get("/ready").status == 200;
        });
    }

    void await_run_of(const std::string& job) const
    {
        const auto before = remote.samples("probe_success", job).size();
        tests::await(fmt::format("{} runs\n{}", job, program.log()),
            [&] { return remote.samples("probe_success", job).size() > before; });
    }

    bool is_last_reload_good() const
    {
        return program.metric("sonde_config_last_reload_successful") == 1;
    }

    /// The session of before goes on: nothing was begun anew.
    void has_one_session() const
    {
        const auto seen = control.seen();
        CHECK(seen.registered.size() == 1);
        CHECK(seen.followed.size() == 1);
        CHECK(program.metric("sonde_link_sessions_lost_total") == 0);
        CHECK(program.get("/ready").status == 200);
    }

    void refuses(const std::string& problem) const
    {
        const auto reply = program.post("/-/reload");
        CHECK(reply.status == 400);
        CHECK_MESSAGE(reply.body.find(problem) != std::string::npos, reply.body);
        CHECK_MESSAGE(program.said(problem), program.log());
        CHECK_FALSE(is_last_reload_good());
    }
};

}  // namespace

TEST_SUITE_BEGIN("faults/reload");

TEST_CASE("SIGHUP and a POST bring new checks and take others away; the session goes on")
{
    Reloading life;
    life.start({"first"});
    life.await_run_of("first");

    life.program.configure(life.options({"first", "second"}));
    life.program.signal(SIGHUP);
    life.await_run_of("second");
    CHECK(life.is_last_reload_good());

    life.program.configure(life.options({"second", "third"}));
    const auto reply = life.program.post("/-/reload");
    CHECK(reply.status == 200);
    CHECK(reply.body == "reloaded\n");
    life.await_run_of("third");
    const std::string results = life.program.get("/results").body;
    CHECK(results.find("job=\"first\"") == std::string::npos);
    CHECK(results.find("job=\"second\"") != std::string::npos);
    life.has_one_session();
    CHECK(life.program.stop() == 0);
}

TEST_CASE("a wrong file is refused as a whole, with file, line, key and what to write instead")
{
    Reloading life;
    life.start({"first"});
    const std::string good = life.options({"first", "second"});
    const auto last = std::count(good.begin(), good.end(), '\n');
    const std::string file = life.program.options_file();
    const struct {
        std::string options;
        std::string problem;
    } rows[] = {
        {good + "scedule: {}\n",
            fmt::format(
                "{}:{}: scedule: is not an option; did you mean schedule?", file, last + 1)},
        {good + "schedule: {max_in_flight: many}\n",
            fmt::format("{}:{}: schedule.max_in_flight: ", file, last + 1)},
        {good + "  - {job: b, target: t, frequency: 1000, timeout: 1000, settings: {tcp: {}}}\n",
            fmt::format("{}:{}: checks[2].target: ", file, last + 1)},
        {good + "schedule: [\n", fmt::format("{}:", file)},
    };
    for (const auto& row : rows) {
        CAPTURE(row.options);
        life.program.configure(row.options);
        life.refuses(row.problem);
    }
    life.await_run_of("first");  // on the old options
    CHECK(life.remote.samples("probe_success", "second").empty());
    life.has_one_session();

    life.program.configure(good);
    CHECK(life.program.post("/-/reload").status == 200);
    CHECK(life.is_last_reload_good());
    life.await_run_of("second");
    CHECK(life.program.stop() == 0);
}

TEST_CASE("what needs a restart is refused, with both values, and so is all that came with it")
{
    Reloading life;
    life.start({"first"});
    life.program.configure(life.options({"first", "second"}, ", sticky_ready: true"));
    life.refuses("status.sticky_ready: needs a restart (false → true)");
    life.program.configure(life.options({"first"}, "", "journal: {enabled: false}\n"));
    life.refuses("journal.enabled: needs a restart (true → false)");
    life.await_run_of("first");
    CHECK(life.remote.samples("probe_success", "second").empty());
    life.has_one_session();
    CHECK(life.program.stop() == 0);
}

TEST_CASE("another token begins another session; the checks go on")
{
    Reloading life;
    life.start({"first"});
    life.control.set_token("another");
    life.write_token("another");
    CHECK(life.program.post("/-/reload").status == 200);
    life.await_session(2);
    CHECK(life.control.seen().registered.size() == 2);
    CHECK(life.control.seen().refused == 0);
    life.await_run_of("first");

    life.write_token("no header can\tcarry\x01this");
    const auto reply = life.program.post("/-/reload");
    CHECK(reply.status == 400);
    CHECK_FALSE(life.is_last_reload_good());
    CHECK(life.control.seen().registered.size() == 2);
    CHECK(life.program.log().find("carry") == std::string::npos);
    CHECK(life.program.stop() == 0);
}

TEST_SUITE_END();
