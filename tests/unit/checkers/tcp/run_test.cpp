#include "agent/base/text.h"
#include "checkers/tcp/dialogue.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::ScriptedServer;
using tests::value_of;

namespace {

std::string step(std::string_view expect, std::string_view send)
{
    return fmt::format(
        R"({{"expect": "{}", "send": "{}"}})", text::base64(expect), text::base64(send));
}

std::string steps(std::initializer_list<std::string> all)
{
    return fmt::format(R"({{"tcp": {{"queryResponse": [{}]}}}})", fmt::join(all, ","));
}

}  // namespace

TEST_SUITE("checkers/tcp")
{
    TEST_CASE_FIXTURE(tests::RunFixture, "connecting is enough when nothing is expected")
    {
        ScriptedServer server{loop, {{{"", "", false, true}}}};
        const auto report = run(server.address(), R"({"tcp": {}})");
        CHECK(report.verdict.passed());
        CHECK(value_of(report, "probe_failed_due_to_regex") == 0);
        CHECK(value_of(report, "probe_ip_addr_hash") == 3668918509);
        CHECK(report.observed.samples().size() == 5);
        CHECK(tests::lines_of(report) ==
              std::vector<std::string>{"info Beginning check", "debug Resolving target address",
                  "debug Resolved target address", "debug Dialing TCP without TLS",
                  "debug Successfully dialed", "info Check succeeded"});
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "a reset while reading")
    {
        ScriptedServer server{loop, {{{"", "", true}}}};
        const auto report = run(server.address(), steps({step("^220", "")}));
        CHECK(report.verdict.code == "tcp_read");
        CHECK(report.verdict.cause == "reset");
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "settings that cannot be used fail every run before the network")
    {
        CHECK(run("127.0.0.1:1", steps({step("(", "")})).verdict.code == "bad_regex");
        CHECK(run("127.0.0.1", R"({"tcp": {}})").verdict.code == "bad_target");
        CHECK(run("127.0.0.1:1", R"({"tcp": {"tls": true, "tlsConfig": {"caCert": "bm9uZQ=="}}})")
                  .verdict.code == "connect");
    }

    TEST_CASE("lines: CR before LF is no part, a rest at the end is one")
    {
        checkers::tcp::LineBuffer lines;
        lines.add("a\r\n\nb");
        CHECK(lines.next() == "a");
        CHECK(lines.next() == "");
        CHECK(lines.next() == std::nullopt);
        CHECK(lines.rest() == "b");
        CHECK(lines.rest() == std::nullopt);
        lines.add("c\r");
        CHECK(lines.rest() == "c");
        lines.add(std::string(65535, 'x') + "\n");
        CHECK_FALSE(lines.too_long());
        lines.discard();
        lines.add(std::string(65536, 'x'));
        CHECK(lines.too_long());
    }

    TEST_CASE("templates expand as Go's do")
    {
        const auto pattern = checkers::Pattern::compile("(?<who>[a-z]+)@([a-z]+)");
        REQUIRE(pattern.has_value());
        const auto captures = pattern->match("to bob@home now");
        REQUIRE(captures.has_value());
        for (const auto& [text, expected] :
            {std::pair{"$who at $2", "bob at home"}, {"${2}x", "homex"}, {"$2x", ""}, {"$$1", "$1"},
                {"${open", "${open"}, {"$", "$"}, {"${}", "${}"}, {"$9", ""}, {"$0", "bob@home"}})
            CHECK(checkers::tcp::expand(text, *captures) == expected);
    }
}
