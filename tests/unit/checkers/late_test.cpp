// Times are the target's also when the loop comes late to everything.
#include "agent/base/text.h"
#include "tests/support/late_loop.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scripted_dns.h"
#include "tests/support/scripted_server.h"
#include "tests/support/test_ca.h"
#include "tests/support/tls_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <future>
#include <memory>
#include <thread>

using namespace sonde;
using namespace std::chrono_literals;
using tests::ScriptedServer;

namespace {

constexpr auto turn = 80ms;

/// Servers have a thread of their own; the loop of the runs comes to what has happened once in a
/// turn.
struct LateLoop : tests::RunFixture {
    tests::asio::io_context servers;
    tests::asio::executor_work_guard<tests::asio::io_context::executor_type> work{
        servers.get_executor()};
    std::thread thread{[this] { servers.run(); }};

    LateLoop() { tests::make_late(loop, turn); }
    ~LateLoop()
    {
        servers.stop();
        thread.join();
    }
    /// Builds a server on the thread that it lives on.
    template <class Server, class... Args>
    std::unique_ptr<Server> serve(Args&&... args)
    {
        std::promise<std::unique_ptr<Server>> built;
        tests::asio::post(servers, [&] {
            built.set_value(std::make_unique<Server>(servers, std::forward<Args>(args)...));
        });
        return built.get_future().get();
    }
};

/// A phase ended while the loop was blocked: it has less of that in it than half a turn.
void check_phases(const checkers::Report& report, std::initializer_list<std::string_view> names)
{
    CHECK(report.verdict.message == "");
    for (const std::string_view name : names) {
        CAPTURE(name);
        bool reached = false;
        for (const checkers::Phase& phase : report.phases)
            if (phase.name == name) {
                reached = phase.reached;
                CHECK(phase.seconds < std::chrono::duration<double>(turn).count() / 2);
            }
        CHECK(reached);
    }
    CHECK(report.wall_seconds > std::chrono::duration<double>(turn).count());
}

/// The line before the last one.
void check_said(const checkers::Report& report)
{
    CHECK(report.late);
    CHECK(report.probe_late > turn / 2);
    REQUIRE(report.log.size() > 2);
    const checkers::LogEntry& line = report.log.end()[-2];
    CHECK(line.message == checkers::probe_was_late);
    CHECK(line.level == checkers::LogEntry::Level::warn);
    CHECK(line.layout == checkers::LogEntry::Layout::wrapper);
    REQUIRE(line.fields.size() == 2);
    CHECK(line.fields[0].key == "loop_late_seconds");
    CHECK(line.fields[1].key == "starved_seconds");
}

}  // namespace

TEST_SUITE("checkers")
{
    TEST_CASE_FIXTURE(LateLoop, "DNS: the phases are the server's, the delay is ours")
    {
        const tests::ScriptedDns::Answer answer = [](std::string_view query) {
            return std::vector{tests::dns_response(query, {0, {{}}})};
        };
        const auto server = serve<tests::ScriptedDns>(answer);
        for (const std::string_view protocol : {"UDP", "TCP"}) {
            CAPTURE(protocol);
            const auto report = run("www.example.org",
                fmt::format(R"({{"dns": {{"server": "127.0.0.1", "port": {}, "protocol": "{}"}}}})",
                    server->port(), protocol));
            check_phases(report, {"connect", "request"});
            check_said(report);
        }
    }

    TEST_CASE_FIXTURE(LateLoop, "HTTP: the phases are the server's, the delay is ours")
    {
        const std::string body(20'000, 'x');
        const std::vector<ScriptedServer::Step> script{{"\r\n\r\n",
            fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)}};
        const auto server =
            serve<ScriptedServer>(std::vector<std::vector<ScriptedServer::Step>>{script});
        const auto plain = run("http://" + server->address() + "/", R"({"http": {}})");
        check_phases(plain, {"connect", "processing", "transfer"});
        check_said(plain);

        const tests::TestCa ca;
        tests::TlsOptions tls_options{ca.issue({.names = {"127.0.0.1"}})};
        for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            CAPTURE(newest);
            tls_options.newest = newest;
            const auto secure = serve<tests::TlsServer>(tls_options, script);
            const auto report = run("https://" + secure->address() + "/",
                fmt::format(R"({{"http": {{"tlsConfig": {{"caCert": "{}"}}}}}})",
                    text::base64(ca.certificate())));
            check_phases(report, {"connect", "tls", "processing", "transfer"});
            check_said(report);
        }
    }

    TEST_CASE_FIXTURE(LateLoop, "TCP: the phases are the server's, the delay is ours")
    {
        const tests::TestCa ca;
        const tests::TlsOptions tls_options{ca.issue({.names = {"127.0.0.1"}})};
        const std::vector<ScriptedServer::Step> script{{"hello", "welcome\n", false, true}};
        const std::string dialogue = fmt::format(R"([{{"send": "{}"}}, {{"expect": "{}"}}])",
            text::base64("hello"), text::base64("^welcome"));
        const auto server =
            serve<ScriptedServer>(std::vector<std::vector<ScriptedServer::Step>>{script});
        const auto plain =
            run(server->address(), fmt::format(R"({{"tcp": {{"queryResponse": {}}}}})", dialogue));
        check_phases(plain, {"connect", "query"});
        check_said(plain);
        const auto secure = serve<tests::TlsServer>(tls_options, script);
        const auto report = run(secure->address(),
            fmt::format(
                R"({{"tcp": {{"tls": true, "tlsConfig": {{"caCert": "{}"}}, "queryResponse": {}}}}})",
                text::base64(ca.certificate()), dialogue));
        check_phases(report, {"connect", "tls", "query"});
        check_said(report);
    }

    TEST_CASE_FIXTURE(LateLoop, "a deadline that we spent ourselves is no fault of the target")
    {
        const tests::ScriptedDns::Answer silent = [](std::string_view) {
            return std::vector<std::string>{};
        };
        const auto server = serve<tests::ScriptedDns>(silent);
        const std::string settings =
            fmt::format(R"({{"dns": {{"server": "127.0.0.1", "port": {}}}}})", server->port());
        const auto ours = run("www.example.org", settings, turn / 4);
        CHECK(ours.verdict.code == "timeout");
        CHECK(ours.verdict.cause == "local_exhausted");
        CHECK(ours.verdict.message.find("this probe was late itself") != std::string::npos);
        const auto theirs = run("www.example.org", settings, turn * 20);
        CHECK(theirs.verdict.code == "timeout");
        CHECK(theirs.verdict.cause == "request");
    }

    TEST_CASE_FIXTURE(LateLoop, "pings that we did not come to sending are not lost by the target")
    {
        const auto report = run("127.0.0.1", R"({"ping": {"packetCount": 3}})", turn / 4);
        if (report.verdict.cause == "local_no_permission") {
            MESSAGE("left out: this process may not ping");
            return;
        }
        CHECK(report.verdict.code == "icmp_loss");
        CHECK(report.verdict.cause == "local_exhausted");
        CHECK(report.verdict.message.find("this probe was late itself") != std::string::npos);
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "what a run waits for costs it no time of ours")
    {
        ScriptedServer server{loop, {{{"\r\n\r\n", "HTTP/1.0 204 No Content\r\n\r\n"}}}};
        const auto report = run("http://" + server.address() + "/", R"({"http": {}})");
        CHECK(report.verdict.passed());
        CHECK(report.probe_late >= 0ns);
        CHECK(std::chrono::duration<double>(report.probe_late).count() <= report.wall_seconds);
    }
}
