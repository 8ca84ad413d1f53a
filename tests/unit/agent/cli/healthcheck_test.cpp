// `sonde healthcheck` against servers that answer, refuse, are silent, or speak no HTTP.
#include "agent/cli/healthcheck.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/agent/cli/cli_fixture.h"

using namespace sonde;
using tests::CliFixture;
using tests::ScriptedServer;

namespace {

using Steps = std::vector<std::vector<ScriptedServer::Step>>;

Steps answering(std::string_view status, std::string_view body)
{
    return {{{.await = "\r\n\r\n",
        .send = fmt::format(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body)}}};
}

}  // namespace

TEST_SUITE("cli/healthcheck")
{
    TEST_CASE_FIXTURE(CliFixture, "ready is 0 and silence; the file says whom to ask")
    {
        ScriptedServer server{loop, answering("200 OK", "ready\n")};
        // The token is the daemon's affair: it need not be readable here.
        const auto file = folder.write("sonde.yaml",
            fmt::format(
                "api: {{address: \"a:1\", token_file: absent}}\nstatus: {{listen: \"{}\"}}\n",
                server.address()));
        const auto outcome = sonde({"healthcheck", "--config", file});
        CHECK(outcome.error == "");
        CHECK(outcome.out == "");
        CHECK(outcome.status == 0);
        CHECK(server.received().front().starts_with("GET /ready HTTP/1.1\r\n"));
    }

    TEST_CASE_FIXTURE(CliFixture, "not ready is 1, with the reason")
    {
        ScriptedServer server{
            loop, answering("503 Service Unavailable", "not ready: no session with the API\n")};
        const std::string url = "http://" + server.address() + "/ready";
        const auto outcome = sonde({"healthcheck", "--url", url});
        CHECK(outcome.status == 1);
        CHECK(outcome.out == "");
        CHECK(outcome.error == fmt::format("sonde healthcheck: {}: 503 not ready: no session with "
                                           "the API\n",
                                   url));
    }

    TEST_CASE_FIXTURE(CliFixture, "nobody there, silence, and what is no HTTP are 1")
    {
        const tests::ClosedPort closed{loop};
        ScriptedServer silent{loop, {{{.await = "\r\n\r\n", .hold = true}}}};
        ScriptedServer noise{loop, {{{.await = "\r\n\r\n", .send = "SSH-2.0-x\r\n"}}}};
        for (const std::string& address : {closed.address(), silent.address(), noise.address()}) {
            const auto outcome = sonde({"healthcheck", "--url", "http://" + address + "/ready"});
            CHECK(outcome.status == 1);
            CHECK(outcome.error.starts_with("sonde healthcheck: http://" + address + "/ready: "));
        }
    }

    TEST_CASE_FIXTURE(CliFixture, "not to know whom to ask is 2")
    {
        const std::pair<std::vector<std::string>, std::string_view> table[] = {
            {{"--config", folder.path("absent.yaml")}, "No such file or directory"},
            {{"--config", folder.write("off.yaml", "checks: []\nstatus: {listen: off}\n")},
                "status.listen is off"},
            {{"--config", folder.write("bad.yaml", "checks: []\nstatus: {listen: x}\n")},
                "bad.yaml:2: status.listen: \"x\" has no port"},
            {{"--url", "gopher://x"}, "gopher://x: "},
            {{"--bogus"}, "--bogus"},
        };
        for (const auto& [words, said] : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            auto all = words;
            all.insert(all.begin(), "healthcheck");
            const auto outcome = sonde(all);
            CHECK(outcome.status == 2);
            CAPTURE(outcome.error);
            CHECK(outcome.error.find(said) != std::string::npos);
        }
    }

    TEST_CASE("every local address is asked at the loopback")
    {
        const std::pair<HostPort, std::string_view> table[] = {
            {{"localhost", 4050}, "http://localhost:4050/ready"},
            {{"", 4050}, "http://127.0.0.1:4050/ready"},
            {{"0.0.0.0", 1}, "http://127.0.0.1:1/ready"},
            {{"::", 1}, "http://[::1]:1/ready"},
            {{"::1", 1}, "http://[::1]:1/ready"},
            {{"192.0.2.1", 1}, "http://192.0.2.1:1/ready"},
        };
        for (const auto& [listen, url] : table) {
            config::StatusConfig status;
            status.listen = listen;
            CHECK(cli::ready_url(status).value() == url);
        }
    }
}
