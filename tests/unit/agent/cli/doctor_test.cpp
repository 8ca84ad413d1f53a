#include "agent/cli/doctor.h"
#include "agent/net/http_server.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
namespace asio = boost::asio;
using cli::Finding;
using tests::CliFixture;

namespace {

/// A remote that answers so to every push.
struct Remote {
    Remote(asio::io_context& loop, unsigned status)
        : server{loop.get_executor(),
              [status](const net::HttpRequest&,
                  const net::HttpPeer&) -> asio::awaitable<net::HttpReply> {
                  net::HttpReply reply{static_cast<net::http::status>(status), 11};
                  reply.set("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
                  co_return reply;
              }},
          port{*server.listen({"127.0.0.1", 0})}
    {}
    std::string url() const { return fmt::format("http://127.0.0.1:{}/push", port); }

    net::HttpServer server;
    std::uint16_t port;
};

nlohmann::json found(const nlohmann::json& report, std::string_view subject)
{
    nlohmann::json all = nlohmann::json::array();
    for (const auto& finding : report["findings"])
        if (finding["subject"] == subject)
            all.push_back(finding);
    return all;
}

}  // namespace

TEST_SUITE_BEGIN("doctor");

TEST_CASE("the remotes are tried with their credentials, and each refusal has its fix")
{
    struct Row {
        unsigned status;
        const char* state;
        const char* fix;
    };
    for (const auto& [status, state, fix] :
        {Row{204, "ok", ""}, Row{400, "ok", ""}, Row{401, "bad", "tenants[0].metrics.password"},
            Row{403, "bad", "password"}, Row{404, "bad", "complete URL"},
            Row{302, "bad", "complete URL"}, Row{503, "warning", ""}}) {
        CAPTURE(status);
        CliFixture fixture;
        Remote remote{fixture.loop, status};
        const auto file = fixture.folder.write("sonde.yaml",
            fmt::format("state_dir: {}\nchecks: []\ntenants: [{{metrics: {{push_url: \"{}\"}}}}]\n",
                fixture.folder.path("state"), remote.url()));
        const auto report = fixture.sonde({"doctor", "--config", file, "-o", "json"}).json();
        const auto findings = found(report, "remote");
        REQUIRE(findings.size() == 1);
        CHECK(findings[0]["state"] == state);
        CHECK(findings[0]["fix"].get<std::string>().find(fix) != std::string::npos);
        // That remote lives in another decade.
        const auto clock = found(report, "clock");
        CHECK(std::any_of(clock.begin(), clock.end(),
            [](const nlohmann::json& each) { return each["state"] == "bad"; }));
    }
}

TEST_CASE("nobody listens at the API, or a web server does")
{
    CliFixture fixture;
    const tests::ClosedPort closed{fixture.loop};
    Remote web{fixture.loop, 200};
    struct Row {
        std::string address;
        const char* said;
    };
    for (const auto& [address, said] :
        {Row{closed.address(), "connect"}, Row{fmt::format("127.0.0.1:{}", web.port), ""}}) {
        CAPTURE(address);
        const auto file = fixture.folder.write("sonde.yaml",
            fmt::format("state_dir: {}\napi: {{address: \"{}\", tls: false, token_file: {}}}\n",
                fixture.folder.path("state"), address, fixture.folder.write("token", "t\n")));
        const auto outcome = fixture.sonde({"doctor", "--config", file, "-o", "json"});
        CHECK(outcome.status == 1);
        const auto findings = found(outcome.json(), "api");
        REQUIRE(findings.size() == 1);
        CHECK(findings[0]["state"] == "bad");
        CHECK(findings[0]["said"].get<std::string>().find(said) != std::string::npos);
        CHECK(!findings[0]["fix"].get<std::string>().empty());
    }
}

TEST_CASE("a folder that cannot be used, a file that cannot be read")
{
    CliFixture fixture;
    fixture.folder.write("taken", "no folder");
    const auto file = fixture.folder.write(
        "sonde.yaml", fmt::format("state_dir: {}\nchecks: []\n", fixture.folder.path("taken")));
    const auto outcome = fixture.sonde({"doctor", "--config", file, "-o", "json"});
    CHECK(outcome.status == 1);
    CHECK(found(outcome.json(), "state")[0]["state"] == "bad");

    const auto missing =
        fixture.sonde({"doctor", "--config", fixture.folder.path("none"), "-o", "json"});
    CHECK(missing.status == 1);
    CHECK(found(missing.json(), "config")[0]["state"] == "bad");
    CHECK(!found(missing.json(), "icmp").empty());  // the host is tried all the same
}

TEST_CASE("for people: one line each, and the fix below")
{
    const cli::Findings findings{{"icmp", Finding::State::ok, "an echo came back", {}},
        {"token", Finding::State::bad, "the API refuses it", "make a new one"}};
    CHECK(cli::render_findings(findings, false) == "ok       icmp      an echo came back\n"
                                                   "bad      token     the API refuses it\n"
                                                   "                   fix: make a new one\n");
}

TEST_SUITE_END();
