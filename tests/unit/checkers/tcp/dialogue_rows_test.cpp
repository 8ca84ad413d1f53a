#include "agent/base/text.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::ScriptedServer;
using tests::value_of;
using Script = std::vector<ScriptedServer::Step>;

namespace {

std::string step(std::string_view expect, std::string_view send = "")
{
    return fmt::format(
        R"({{"expect": "{}", "send": "{}"}})", text::base64(expect), text::base64(send));
}

struct Row {
    const char* id;
    std::vector<std::string> steps;
    Script script;
    std::string_view code = "";
    std::string_view cause = "";
    std::string_view received = "";
    double failed_due_to_regex = 0;
    std::chrono::milliseconds timeout = 3s;
};

const ScriptedServer::Step hold{"", "", false, true};

ScriptedServer::Step says(std::string text)
{
    return {"", std::move(text)};
}

const std::vector<std::string> irc = {step("", "NICK prober"),
    step("", "USER prober prober prober :prober"), step("^:[^ ]+ 001", "")};
const std::string irc_sends = "NICK prober\nUSER prober prober prober :prober\n";
const ScriptedServer::Step notice{"USER prober prober prober :prober\n",
    ":ircd.localhost NOTICE AUTH :*** Looking up your hostname...\n"};
const std::string ssh = "^SSH-2.0-([^ -]+)(?: (.*))?$";
const std::string expanded = "A ${1} B $2 C ${who} E ${9} F $$ I $ J ${";
const std::string longest(65535, 'x');  // and a LF: the longest line

/// Spec 02 §7.4, the rows without TLS, and §5.4's rules for lines.
const Row rows[] = {
    {"T1: no steps", {}, {says("")}},
    {"T7: a notice, then the line", irc,
        {notice, says(":ircd.localhost 001 prober :Welcome\n"), hold}, "", "", irc_sends},
    {"T8: an error, then the end", irc, {notice, says("ERROR: Your IP is banned\n")}, "tcp_expect",
        "", irc_sends, 1},
    {"T9: a capture sent back", {step(ssh, "CONFIRM ${1}")},
        {says("SSH-2.0-OpenSSH_6.9p1 Debian-2\n"), {"\n", "", false, true}}, "", "",
        "CONFIRM OpenSSH_6.9p1\n"},
    {"T12: CR before LF is removed", {step("^220.*ESMTP$")}, {says("220 mail ESMTP\r\n"), hold}},
    {"T13: no line end", {step("^220.*ESMTP$")}, {says("220 mail ESMTP"), hold}, "timeout", "query",
        "", 0, 150ms},
    {"T14: another line, then nothing", {step("^two")}, {says("one\n"), hold}, "timeout", "query",
        "", 0, 150ms},
    {"T15: another line, then the end", {step("^two")}, {says("one\n")}, "tcp_expect", "", "", 1},
    {"T16: every form of a template", {step("^(?P<who>[a-z]+) ([0-9]+)", expanded)},
        {says("bob 42\n"), {"\n", "", false, true}}, "", "", "A bob B 42 C bob E  F $ I $ J ${\n"},
    {"T17: without expect it is no template", {step("", "raw ${1}")}, {{"\n", "", false, true}}, "",
        "", "raw ${1}\n"},
    {"T18: an empty expect waits for nothing", {step("", "PING"), step("PONG")},
        {{"PING\n", "PONG\n", false, true}}, "", "", "PING\n"},
    {"T24: two lines in one segment", {step("a"), step("b")}, {says("a\nb\n"), hold}},
    {"an empty line is a line", {step("^$")}, {says("\n"), hold}},
    {"a rest at the end is a line", {step("^rest$")}, {says("one\nrest")}},
    {"an empty rest is none", {step("^$")}, {says("one\n")}, "tcp_expect", "", "", 1},
    {"of two CR one is removed", {step("^x\\r$")}, {says("x\r\r\n"), hold}},
    {"a CR alone ends nothing", {step("^a\\rb$")}, {says("a\rb\n"), hold}},
    {"the longest line", {step("x$")}, {says(longest + "\n"), hold}},
    {"a line too long", {step("x$")}, {says(longest + "x\n"), hold}, "tcp_line_too_long"},
    {"a line too long, without its end", {step("x$")}, {says(longest + "x"), hold},
        "tcp_line_too_long"},
    {"the longest rest", {step("x$")}, {says(longest)}},
    {"bytes that are no text", {step("^a.b$", "<${0}>")},
        {says("a\xff"
              "b\n"),
            {"\n", "", false, true}},
        "", "",
        "<a\xff"
        "b>\n"},
};

}  // namespace

TEST_SUITE("checkers/tcp")
{
    TEST_CASE_FIXTURE(tests::RunFixture, "dialogues: verdict, series, what the server received")
    {
        for (const Row& row : rows) {
            CAPTURE(row.id);
            ScriptedServer server{loop, {row.script}};
            const auto report = run(server.address(),
                fmt::format(R"({{"tcp": {{"queryResponse": [{}]}}}})", fmt::join(row.steps, ",")),
                row.timeout);
            CHECK(report.verdict.code == row.code);
            CHECK(report.verdict.cause == row.cause);
            CHECK(value_of(report, "probe_failed_due_to_regex") == row.failed_due_to_regex);
            CHECK(value_of(report, "probe_failed_due_to_bytes") == 0);
            loop.restart();
            loop.poll();  // what is still on its way to the server
            REQUIRE(server.received().size() == 1);
            CHECK(server.received()[0] == row.received);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "T2, T25: no connection, no series of it")
    {
        const auto refused = run("127.0.0.1:1", R"({"tcp": {}})");
        CHECK(refused.verdict.code == "connect");
        CHECK(refused.verdict.cause == "refused");
        CHECK_FALSE(tests::has(refused, "probe_failed_due_to_regex"));
        CHECK_FALSE(tests::has(refused, "probe_failed_due_to_bytes"));
        const auto no_port = run("127.0.0.1", R"({"tcp": {}})");
        CHECK(no_port.verdict.code == "bad_target");
        CHECK_FALSE(tests::has(no_port, "probe_ip_protocol"));
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "T10, T11: a host with both families")
    {
        const tests::ScratchFolder folder;
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "127.0.0.1 both.sonde.test\n::1 both.sonde.test\n");
        resolve_with(files);
        ScriptedServer v4{loop, {{hold}}};
        const tests::asio::ip::tcp::acceptor v6{
            loop, {tests::asio::ip::address_v6::loopback(), v4.port()}};
        for (const auto& [version, protocol] : {std::pair{"V4", 4}, {"V6", 6}, {"Any", 6}}) {
            const auto report = run(fmt::format("both.sonde.test:{}", v4.port()),
                fmt::format(R"({{"tcp": {{"ipVersion": "{}"}}}})", version));
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, "probe_ip_protocol") == protocol);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "T23: a peer that has reset the connection")
    {
        // The first send is met by RST; then one of the next two operations must fail.
        ScriptedServer server{loop, {{{"one\n", "", true}}}};
        const auto report =
            run(server.address(), fmt::format(R"({{"tcp": {{"queryResponse": [{}, {}, {}]}}}})",
                                      step("", "one"), step("never"), step("", "two")));
        CHECK((report.verdict.code == "tcp_read" || report.verdict.code == "tcp_write"));
        CHECK(report.verdict.cause == "reset");
        CHECK(value_of(report, "probe_failed_due_to_regex") == 0);
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "from a source address of this host")
    {
        ScriptedServer server{loop, {{hold}}};
        const auto report = run(server.address(), R"({"tcp": {"sourceIpAddress": "127.0.0.9"}})");
        CHECK(report.verdict.message == "");
    }
}
