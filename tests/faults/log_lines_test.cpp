// What libraries have to say goes into lines of the log like everything else.
#include "tests/faults/program.h"
#include "tests/support/fake_control.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

TEST_SUITE_END();
