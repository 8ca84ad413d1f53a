// What libraries have to say goes into lines of the log like everything else.
#include "tests/faults/program.h"
#include "tests/support/fake_control.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <sstream>

using namespace sonde;

TEST_SUITE_BEGIN("faults/log_lines");

TEST_CASE("text that is not UTF-8: protobuf's complaint is a line of the log, and no other")
{
    tests::FakeControl control;
    pb::Check check;
    check.set_id(1);
    check.set_tenantid(1);
    check.set_job("j\xffob");
    check.set_target("127.0.0.1:1");
    check.set_frequency(1000);
    check.set_timeout(1000);
    check.set_enabled(true);
    check.set_modified(1);
    check.mutable_settings()->mutable_tcp();
    control.set_checks({check});

    tests::Program program;
    program.folder().write("token", "fake-token");
    program.configure(
        program.head() +
        fmt::format("api: {{address: \"127.0.0.1:{}\", tls: false, token_file: {}}}\n",
            control.port(), program.folder().path("token")));
    program.start();
    tests::await("the text is repaired",
        [&] { return program.said("a message of the API has text that is not UTF-8"); });
    CHECK(program.stop() == 0);
    std::istringstream lines{program.log()};
    for (std::string line; std::getline(lines, line);)
        CHECK_MESSAGE(nlohmann::json::accept(line), line);
    CHECK_FALSE(program.said("google/protobuf"));
}

TEST_CASE("SIGUSR2: how it stands is told in the log, and it goes on")
{
    tests::Program program;
    program.configure(program.head() + "probe: {name: Here, region: TEST}\n"
                                       "checks: [{job: a, target: \"127.0.0.1:1\", frequency: "
                                       "1000, timeout: 1000, settings: {tcp: {}}}]\n");
    program.start();
    const auto runs = [&] { return program.metric("sm_agent_scraper_operations_total"); };
    tests::await("a run", [&] { return runs() > 0; });
    const double before = runs();
    program.signal(SIGUSR2);
    tests::await("the state is told:\n" + program.log(), [&] {
        return program.said(
                   R"({"level":"warn","program":"sonde","subsystem":"main","checks":1,"on_time":true,"ready":"yes")") &&
               program.said(R"("sample":"sm_agent_scraper_operations_total{)") &&
               program.said(R"("sample":"process_start_time_seconds )");
    });
    tests::await("another run", [&] { return runs() > before; });
    CHECK(program.stop() == 0);
}

TEST_SUITE_END();
