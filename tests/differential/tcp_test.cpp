#include "agent/base/text.h"
#include "tests/differential/comparison.h"
#include "tests/support/tls_server.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <list>

using namespace sonde;
using namespace std::chrono_literals;
using tests::Pair;
using tests::Program;
using tests::ScriptedServer;
using tests::TlsServer;
using tests::Validity;
using Script = std::vector<ScriptedServer::Step>;

namespace {

const ScriptedServer::Step hold{"", "", false, true};

/// A step of a dialogue, as it is set.
struct Turn {
    std::string expect;
    std::string send = {};
    bool start_tls = false;
};

std::string ours(const std::vector<Turn>& steps)
{
    std::vector<std::string> all;
    for (const Turn& turn : steps)
        all.push_back(fmt::format(R"({{"expect": "{}", "send": "{}", "startTLS": {}}})",
            text::base64(turn.expect), text::base64(turn.send), turn.start_tls));
    return fmt::format(R"("queryResponse": [{}])", fmt::join(all, ", "));
}

std::string theirs(const std::vector<Turn>& steps)
{
    std::vector<std::string> all;
    for (const Turn& turn : steps)
        all.push_back(fmt::format("{{{}send: {}, starttls: {}}}",
            turn.expect.empty() ? "" : fmt::format("expect: {}, ", tests::quoted(turn.expect)),
            tests::quoted(turn.send), turn.start_tls));
    return fmt::format("query_response: [{}]", fmt::join(all, ", "));
}

struct Row {
    std::string name;
    std::vector<Turn> steps;
    Script script;
    std::chrono::milliseconds timeout = 3s;
};

ScriptedServer::Step says(std::string text)
{
    return {"", std::move(text)};
}

/// A server says so once it has heard this; a prober that sends something else waits for ever.
ScriptedServer::Step after(std::string heard, std::string text)
{
    return {std::move(heard), std::move(text)};
}

std::vector<Row> rows()
{
    const std::vector<Turn> irc = {
        {"", "NICK prober"}, {"", "USER prober prober prober :prober"}, {"^:[^ ]+ 001"}};
    const auto notice = after("NICK prober\nUSER prober prober prober :prober\n",
        ":ircd.localhost NOTICE AUTH :*** Looking up your hostname...\n");
    const std::string ssh = "^SSH-2.0-([^ -]+)(?: (.*))?$";
    const std::string longest(65535, 'x');
    return {{"T1", {}, {says("")}},
        {"T7", irc, {notice, says(":ircd.localhost 001 prober :Welcome\n"), hold}},
        {"T8", irc, {notice, says("ERROR: Your IP is banned\n")}},
        {"T9", {{ssh, "CONFIRM ${1}"}, {"^right$"}},
            {says("SSH-2.0-OpenSSH_6.9p1 Debian-2\n"), after("CONFIRM OpenSSH_6.9p1\n", "right\n"),
                hold}},
        {"T12", {{"^220.*ESMTP$"}}, {says("220 mail ESMTP\r\n"), hold}},
        {"T13", {{"^220.*ESMTP$"}}, {says("220 mail ESMTP"), hold}, 500ms},
        {"T14", {{"^two"}}, {says("one\n"), hold}, 500ms}, {"T15", {{"^two"}}, {says("one\n")}},
        {"T16",
            {{"^(?P<who>[a-z]+) ([0-9]+)", "A ${1} B $2 C ${who} E ${9} F $$ I $ J ${"},
                {"^right$"}},
            {says("bob 42\n"), after("A bob B 42 C bob E  F $ I $ J ${\n", "right\n"), hold}},
        {"T17", {{"", "raw ${1}"}, {"^right$"}}, {after("raw ${1}\n", "right\n"), hold}},
        {"T18", {{"", "PING"}, {"PONG"}}, {after("PING\n", "PONG\n"), hold}},
        {"T24", {{"a"}, {"b"}}, {says("a\nb\n"), hold}},
        {"an-empty-line", {{"^$"}}, {says("\n"), hold}},
        {"a-rest-at-the-end", {{"^rest$"}}, {says("one\nrest")}},
        {"no-rest", {{"^$"}}, {says("one\n")}}, {"two-CR", {{"^x\\r$"}}, {says("x\r\r\n"), hold}},
        {"the-longest-line", {{"x$"}}, {says(longest + "\n"), hold}},
        {"a-line-too-long", {{"x$"}}, {says(longest + "x\n"), hold}},
        {"no-text", {{"^a.b$", "<${0}>"}, {"^right$"}},
            {says("a\xff"
                  "b\n"),
                after("<a\xff"
                      "b>\n",
                    "right\n"),
                hold}}};
}

struct TcpComparison : tests::Comparison {
    std::list<TlsServer> tls_servers;
    std::vector<Pair> pairs;
    tests::ScratchFolder folder;
    tests::TestCa root;

    void add(const std::vector<Row>& rows)
    {
        for (const Row& row : rows)
            pairs.push_back({row.name, ours(row.steps), theirs(row.steps),
                serve({row.script}).address(), "", row.timeout});
    }
    /// TLS from the start, or by a step, to a server that holds the connection.
    void add_tls(const std::string& name, const tests::TlsOptions& served,
        const std::string& host = "localhost", const std::string& trusted = "",
        const std::vector<Turn>& steps = {}, const Script& inside = {hold},
        const Script& before = {})
    {
        // One for each: what a TlsServer has heard it has heard from all its connections.
        const auto& server = tls_servers.emplace_back(loop, served, inside, before);
        const auto& their_server = tls_servers.emplace_back(loop, served, inside, before);
        const std::string pem = trusted.empty() ? root.certificate() : trusted;
        const std::string file = folder.write(name + ".ca", pem);
        pairs.push_back({name,
            fmt::format(R"("tls": {}, "tlsConfig": {{"caCert": "{}"}}, {})", before.empty(),
                text::base64(pem), ours(steps)),
            fmt::format(
                "tls: {}, tls_config: {{ca_file: {}}}, {}", before.empty(), file, theirs(steps)),
            fmt::format("{}:{}", host, server.port()),
            fmt::format("{}:{}", host, their_server.port())});
    }
};

}  // namespace

TEST_SUITE("differential")
{
    TEST_CASE_FIXTURE(TcpComparison, "TCP")
    {
        add(rows());
        pairs.push_back({"T2", "", "", refusing_address()});
        pairs.push_back({"T25", "", "", "127.0.0.1"});
        const tests::asio::ip::tcp::acceptor v6{loop, {tests::asio::ip::address_v6::loopback(), 0}};
        const std::string at_v6 = fmt::format("[::1]:{}", v6.local_endpoint().port());
        pairs.push_back({"T11", "", "", at_v6, "", 3s, "V6"});
        pairs.push_back({"T11-any", "", "", at_v6, "", 3s, "Any"});
        pairs.push_back({"T11-V4", "", "", at_v6});

        const auto good = root.issue({.names = {"localhost"}, .valid = Validity::lasting(2h)});
        add_tls("T3", {good}, "127.0.0.1");
        add_tls("T4", {good, TLS1_2_VERSION});
        add_tls("T4-1.3", {good});
        const tests::TestCa older{"Sonde two roots", Validity::lasting(24h)};
        const tests::TestCa newer = older.reissued(Validity::lasting(72h));
        auto leaf = older.issue({.names = {"localhost"}, .valid = Validity::lasting(48h)});
        leaf.chain += older.certificate();
        add_tls("T5", {leaf}, "localhost", newer.certificate() + older.certificate());
        add_tls("T6", {good}, "localhost", "",
            {{"^220.*ESMTP.*$"}, {"", "EHLO prober"}, {"^250-STARTTLS"}, {"", "STARTTLS"}, {"^220"},
                {"", "", true}, {"", "EHLO prober"}, {"^250-AUTH"}, {"", "QUIT"}},
            {after("EHLO prober\n", "250-smtp.example.com\r\n250-AUTH\r\n"), hold},
            {says("220 smtp.example.com ESMTP\r\n"),
                after("EHLO prober\n", "250-smtp.example.com\r\n250-STARTTLS\r\n250 HELP\r\n"),
                after("STARTTLS\n", "220 2.0.0 Ready\r\n")});
        add_tls("T20", {good}, "localhost", "", {{"^220", "", true}, {"^250 real"}},
            {says("250 real\n"), hold}, {says("220 go\n250 injected\n")});
        const auto& server =
            tls_servers.emplace_back(loop, tests::TlsOptions{tests::self_signed({})}, Script{hold});
        pairs.push_back({"T21", R"("tls": true, "tlsConfig": {"insecureSkipVerify": true})",
            "tls: true, tls_config: {insecure_skip_verify: true}", server.address()});
        compare(Program::tcp, pairs);
    }
}
