// The real binary with a real store: a check is added over HTTP, travels over gRPC, runs, and its
// samples are read back from the store.
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>

using namespace sonde;
using namespace std::chrono_literals;
using nlohmann::json;
using tests::Process;

namespace {

std::string binary()
{
    const char* path = std::getenv("SONDE_BINARY");
    REQUIRE_MESSAGE(path != nullptr, "SONDE_BINARY names the program under test");
    return path;
}

/// Asks again and again until the answer is yes; fails the test after half a minute.
void await(const std::string& what, const std::function<bool()>& happened)
{
    const auto limit = std::chrono::steady_clock::now() + 30s;
    while (!happened()) {
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < limit, what);
        ::poll(nullptr, 0, 50);
    }
}

void write(const std::string& file, const std::string& text)
{
    std::ofstream{file} << text;
}

/// A store, nginx in front of it to map /push, and sonde with control plane and probe.
struct Installation {
    tests::ScratchFolder folder;
    std::uint16_t store_port = tests::free_port();
    std::uint16_t web_port = tests::free_port();
    std::uint16_t api_port = tests::free_port();
    std::uint16_t grpc_port = tests::free_port();
    std::uint16_t status_port = tests::free_port();
    Process store{{"victoria-metrics", "-storageDataPath=" + path("data"),
                      fmt::format("-httpListenAddr=127.0.0.1:{}", store_port),
                      "-search.latencyOffset=0s", "-search.disableCache", "-retentionPeriod=1"},
        path("store.log")};
    std::optional<Process> web;
    std::optional<Process> sonde;
    std::string token;
    std::int64_t probe = 0;

    std::string path(const std::string& name) const { return folder.path(name); }
    std::string root() const { return folder.path("."); }

    Installation()
    {
        write(path("nginx.conf"),
            fmt::format(R"(daemon off; pid {0}/nginx.pid; error_log {0}/nginx.log;
events {{}}
http {{ access_log off; client_body_temp_path {0}/a; proxy_temp_path {0}/b; fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;
  server {{ listen 127.0.0.1:{1};
    location = /api/v1/push {{ proxy_pass http://127.0.0.1:{2}/api/v1/write; }}
    location = /loki/api/v1/push {{ return 204; }}
    location / {{ return 200 "hello"; }} }} }})",
                root(), web_port, store_port));
        web.emplace(std::vector<std::string>{"nginx", "-c", path("nginx.conf"), "-p", root()},
            path("web.log"));
        write(path("sonde.yaml"), fmt::format(R"(state_dir: {0}/state
log: {{level: info}}
api: {{embedded: true}}
probe: {{name: Here, region: TEST}}
status: {{listen: "127.0.0.1:{3}"}}
control:
  http: {{listen: ["127.0.0.1:{1}"]}}
  grpc: {{listen: ["127.0.0.1:{2}"]}}
  directory:
    version: 1
    organizations:
      - id: 1000
        slug: test
        name: Test
        publisher_tokens: [{{name: t, value_env: TEST_PUBLISHER, stacks: [3]}}]
        hosted_instances:
          - {{id: 1, type: prometheus, name: m, url: "http://127.0.0.1:{4}", remote_url: "http://127.0.0.1:{4}/api/v1"}}
          - {{id: 2, type: logs, name: l, url: "http://127.0.0.1:{4}", remote_url: "http://127.0.0.1:{4}/loki/api/v1"}}
        stacks: [{{id: 3, slug: test, name: Test}}]
)",
                                      root(), api_port, grpc_port, status_port, web_port));
        await("the store comes up", [&] {
            return status_of(fmt::format("http://127.0.0.1:{}/health", store_port)) == 200;
        });
        await("nginx comes up",
            [&] { return status_of(fmt::format("http://127.0.0.1:{}/", web_port)) == 200; });
        start();
    }

    void start()
    {
        sonde.emplace(std::vector<std::string>{binary(), "run", "--config", path("sonde.yaml")},
            path("sonde.log"), std::vector<std::string>{"TEST_PUBLISHER=publisher-secret"});
        await("sonde is ready", [&] {
            return status_of(fmt::format("http://127.0.0.1:{}/ready", status_port)) == 200;
        });
    }

    static int status_of(const std::string& url)
    {
        int status = 0;
        tests::http("GET", url, &status);
        return status;
    }

    json call(const std::string& method, const std::string& resource, const json& body = nullptr,
        int expected = 200)
    {
        int status = 0;
        const std::string answer =
            tests::http(method, fmt::format("http://127.0.0.1:{}/api/v1/{}", api_port, resource),
                &status, {"Authorization: Bearer " + token, "Content-Type: application/json"},
                body.is_null() ? "" : body.dump());
        CAPTURE(resource);
        CAPTURE(answer);
        CHECK(status == expected);
        return json::parse(answer, nullptr, false);
    }

    void register_tenant()
    {
        token = "publisher-secret";
        const json installed = call("POST", "register/install",
            {{"stackId", 3}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}});
        token = installed["accessToken"];
        for (const json& each : call("GET", "probe/list"))
            if (each["name"] == "Here")
                probe = each["id"];
        REQUIRE(probe > 0);
    }

    json check(const std::string& job, const std::string& target, json settings) const
    {
        return {{"job", job}, {"target", target}, {"frequency", 1000}, {"timeout", 1000},
            {"enabled", true}, {"probes", json::array({probe})}, {"settings", std::move(settings)}};
    }

    /// The value of an instant query that has one result; nullopt: none.
    std::optional<std::string> query(const std::string& expression)
    {
        std::string encoded;
        for (const unsigned char c : expression)
            encoded +=
                std::isalnum(c) ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
        // Makes what has come in visible at once, which the store would do within seconds.
        tests::http("GET", fmt::format("http://127.0.0.1:{}/internal/force_flush", store_port));
        const json answer = json::parse(
            tests::http("GET",
                fmt::format("http://127.0.0.1:{}/api/v1/query?query={}", store_port, encoded)),
            nullptr, false);
        if (!answer.is_object() || answer["data"]["result"].empty())
            return std::nullopt;
        return answer["data"]["result"][0]["value"][1].get<std::string>();
    }

    void await_value(const std::string& expression, const std::string& value)
    {
        await(expression + " is " + value, [&] { return query(expression) == value; });
    }

    /// Ends the daemon as systemd does; it must come down by itself, cleanly.
    void stop()
    {
        sonde->signal(SIGTERM);
        const int status = sonde->wait();
        CAPTURE(sonde->output());
        CHECK(status == 0);
    }
};

}  // namespace

TEST_SUITE("integration")
{
    TEST_CASE("from a check added over HTTP to a sample in the store; changes follow; a restart "
              "forgets nothing")
    {
        Installation here;
        here.register_tenant();
        const std::string web = fmt::format("http://127.0.0.1:{}/", here.web_port);
        json added =
            here.call("POST", "check/add", here.check("web", web, {{"http", json::object()}}));
        here.call(
            "POST", "check/add", here.check("gone", "127.0.0.1:1", {{"tcp", json::object()}}));
        here.call(
            "POST", "check/add", here.check("gateway", "127.0.0.1", {{"ping", json::object()}}));
        here.await_value("probe_success{job=\"web\"}", "1");
        here.await_value("probe_success{job=\"gone\"}", "0");
        here.await_value("probe_success{job=\"gateway\"}", "1");
        here.await_value("probe_http_status_code{job=\"web\"}", "200");
        here.await_value("count(sm_check_info)", "3");
        here.await_value("count({job=\"web\"})", "118");  // the full set of an http check

        // A change reaches the schedule: what passed now fails, under a new version.
        added["settings"]["http"]["validStatusCodes"] = {204};
        const json updated = here.call("POST", "check/update", added);
        CHECK(updated["modified"] > added["modified"]);
        here.await_value("probe_success{job=\"web\"}", "0");
        here.await_value("count(sm_check_info{job=\"web\"})", "1");  // the old series has ended

        // The daemon stops in order and starts with all it had.
        here.stop();
        here.start();
        CHECK(here.call("GET", "check/list").size() == 3);
        const auto runs = here.query("sum(count_over_time(probe_success{job=\"web\"}[1h]))");
        await("the check runs again", [&] {
            return here.query("sum(count_over_time(probe_success{job=\"web\"}[1h]))") != runs;
        });
        here.call("DELETE", fmt::format("check/delete/{}", added["id"].get<int>()));
        here.await_value("count(probe_success)", "2");
        here.stop();
    }

    TEST_CASE("a probe of its own comes back after the control plane was away; a bad token is told "
              "and ends it")
    {
        Installation here;
        here.register_tenant();
        const json made =
            here.call("POST", "probe/add", {{"name", "remote"}, {"latitude", 1}, {"longitude", 2}});
        const auto probe_status = tests::free_port();
        const auto config = [&](const std::string& name) {
            write(here.path(name),
                fmt::format("state_dir: {}\napi: {{address: \"127.0.0.1:{}\", tls: false}}\n"
                            "status: {{listen: \"127.0.0.1:{}\"}}\nlog: {{level: info}}\n",
                    here.path(name + ".state"), here.grpc_port, probe_status));
            return here.path(name);
        };
        const auto ready = [&] {
            return Installation::status_of(
                       fmt::format("http://127.0.0.1:{}/ready", probe_status)) == 200;
        };
        Process probe{{binary(), "run", "--config", config("probe.yaml")}, here.path("probe.log"),
            {"SM_AGENT_API_TOKEN=" + made["token"].get<std::string>()}};
        await("the probe is connected", ready);
        here.probe = made["probe"]["id"];
        here.call("POST", "check/add", here.check("far", "127.0.0.1", {{"ping", json::object()}}));
        here.await_value("probe_success{job=\"far\", probe=\"remote\"}", "1");

        here.stop();
        await("the probe notices", [&] { return !ready(); });
        here.start();
        await("the probe is back", ready);
        const auto runs = here.query("count_over_time(probe_success{job=\"far\"}[1h])");
        REQUIRE(runs.has_value());
        await("it goes on measuring",
            [&] { return here.query("count_over_time(probe_success{job=\"far\"}[1h])") != runs; });
        probe.signal(SIGTERM);
        CHECK(probe.wait() == 0);

        Process refused{{binary(), "run", "--config", config("refused.yaml")},
            here.path("refused.log"), {"SM_AGENT_API_TOKEN=wrong"}};
        CHECK(refused.wait() == 1);
        CHECK(refused.output().find("unknown probe token") != std::string::npos);
        CHECK(refused.output().find("wrong") == std::string::npos);
        here.stop();
    }

    TEST_CASE(
        "what keeps the daemon from starting is one clear line, and nothing is left half-started")
    {
        const tests::ScratchFolder folder;
        const std::string base = folder.path(".");
        const std::string file = folder.path("sonde.yaml");
        const auto port = tests::free_port();
        Process holder{{"victoria-metrics", "-storageDataPath=" + folder.path("d"),
                           fmt::format("-httpListenAddr=127.0.0.1:{}", port)},
            folder.path("holder.log")};
        await("the port is taken", [&] {
            return Installation::status_of(fmt::format("http://127.0.0.1:{}/health", port)) == 200;
        });
        const std::string directory = "directory: {version: 1}";
        const struct {
            std::string config;
            int status;
            std::string says;
        } rows[] = {
            {"checks: [\n", 2, "sonde.yaml:"},
            {"chekcs: []\nchecks: []\n", 2, "sonde.yaml:1: chekcs: "},
            {fmt::format("checks: []\nstatus: {{listen: \"127.0.0.1:{}\"}}\n", port), 1,
                "Address already in use"},
            {fmt::format("control: {{http: {{listen: [\"127.0.0.1:{}\"]}}, {}}}\nstate_dir: {}/s\n",
                 port, directory, base),
                1, "control.http.listen: 127.0.0.1"},
            {fmt::format("control: {{grpc: {{listen: [\"127.0.0.1:{}\"]}}, http: {{listen: "
                         "[\"127.0.0.1:0\"]}}, {}}}\nstate_dir: {}/t\n",
                 port, directory, base),
                1, "control.grpc.listen"},
            {fmt::format("control: {{database: {{url: \"sqlite:/proc/none/x.db\"}}, http: "
                         "{{listen: [\"127.0.0.1:0\"]}}, grpc: {{listen: [\"127.0.0.1:0\"]}}, "
                         "{}}}\nstate_dir: {}/u\n",
                 directory, base),
                1, "/proc/none/x.db"},
        };
        for (const auto& row : rows) {
            CAPTURE(row.config);
            write(file, row.config);
            int status = 0;
            const std::string output = tests::run({binary(), "run", "--config", file}, &status);
            CAPTURE(output);
            CHECK(status == row.status);
            CHECK(output.find(row.says) != std::string::npos);
        }
    }
}
