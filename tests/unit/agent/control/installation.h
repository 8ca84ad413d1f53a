#pragma once

#include "agent/base/text.h"
#include "agent/control/control.h"
#include "agent/control/secrets.h"
#include "config/services.h"
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <nlohmann/json.hpp>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <thread>

namespace sonde::tests {

namespace asio = boost::asio;
using nlohmann::json;

inline constexpr auto directory_text = R"(version: 1
organizations:
  - id: 1000
    slug: acme
    name: Acme Inc
    publisher_tokens:
      - {{name: p, sha256: "{0}", stacks: [3, 4]}}
    hosted_instances:
      - {{id: 1, type: prometheus, name: m, url: "https://mimir.example.net"}}
      - {{id: 2, type: logs, name: l, url: "https://loki.example.net"}}
    stacks:
      - {{id: 3, slug: acme, name: Acme, metrics_instance_id: 1, logs_instance_id: 2}}
      - {{id: 4, slug: more, name: More, metrics_instance_id: 1, logs_instance_id: 2}}
)";

/// A token in the metadata, and a limit so that a silent server fails the test.
struct Context : grpc::ClientContext {
    explicit Context(const std::string& token)
    {
        if (!token.empty())
            AddMetadata("authorization", "Bearer " + token);
        set_deadline(std::chrono::system_clock::now() + std::chrono::seconds{20});
    }
};

/// A control plane on a loop of its own, with a probe's stubs for it.
struct Replica {
    asio::io_context loop;
    asio::executor_work_guard<asio::io_context::executor_type> open{loop.get_executor()};
    asio::thread_pool workers{2};
    prometheus::Registry registry;
    std::unique_ptr<control::Control> control;
    std::jthread thread;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<pb::Checks::Stub> checks;
    std::unique_ptr<pb::Tenants::Stub> tenants;
    std::unique_ptr<pb::AdHocChecks::Stub> ad_hoc;
    std::unique_ptr<pb::Telemetry::Stub> telemetry;
    std::unique_ptr<pb::K6::Stub> k6;

    explicit Replica(const TestDatabase& database)
    {
        config::ControlConfig config;
        config.http.listen = {{"127.0.0.1", 0}};
        config.grpc.listen = {{"127.0.0.1", 0}};
        database.put_into(config);
        config.directory = fmt::format(directory_text, control::sha256_hex("pub-acme"));
        control =
            std::make_unique<control::Control>(loop.get_executor(), workers, config, registry);
        const auto started = control->start();
        REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
        thread = std::jthread{[this] { loop.run(); }};
        channel = grpc::CreateChannel(fmt::format("127.0.0.1:{}", control->grpc_ports().front()),
            grpc::InsecureChannelCredentials());
        checks = pb::Checks::NewStub(channel);
        tenants = pb::Tenants::NewStub(channel);
        ad_hoc = pb::AdHocChecks::NewStub(channel);
        telemetry = pb::Telemetry::NewStub(channel);
        k6 = pb::K6::NewStub(channel);
    }

    ~Replica() { stop(); }

    void stop()
    {
        if (!control)
            return;
        asio::co_spawn(loop, control->stop(), asio::use_future).get();
        open.reset();
        thread.join();
        control.reset();
    }

    std::string url(const std::string& resource) const
    {
        return fmt::format(
            "http://127.0.0.1:{}/api/v1/{}", control->http_ports().front(), resource);
    }
};

/// A replica that has one tenant with one probe.
struct Installation {
    ScratchFolder folder;
    TestDatabase database;
    Replica replica{database};
    std::unique_ptr<pb::Checks::Stub>& checks = replica.checks;
    std::unique_ptr<pb::Tenants::Stub>& tenants = replica.tenants;
    std::unique_ptr<pb::AdHocChecks::Stub>& ad_hoc = replica.ad_hoc;
    std::string access;
    std::string probe_token;
    std::int64_t probe = 0;

    explicit Installation(DatabaseKind kind = chosen_database()) : database{folder, kind}
    {
        access = install(3);
        const json added = post("probe/add", {{"name", "mine"}, {"region", "EMEA"}});
        probe = added["probe"]["id"];
        probe_token = decoded(added["token"]);
    }

    std::string install(std::int64_t stack)
    {
        access = "pub-acme";
        return post("register/install",
            {{"stackId", stack}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}})["accessToken"];
    }

    json post(const std::string& resource, const json& body, int expected = 200)
    {
        int status = 0;
        const auto answer = http("POST", replica.url(resource), &status,
            {"Authorization: Bearer " + access, "Content-Type: application/json"}, body.dump());
        CAPTURE(answer);
        REQUIRE(status == expected);
        return json::parse(answer);
    }

    void remove(const std::string& resource)
    {
        int status = 0;
        http("DELETE", replica.url(resource), &status, {"Authorization: Bearer " + access});
        REQUIRE(status == 200);
    }

    /// The API shows a token in base64.
    static std::string decoded(const std::string& token) { return *text::from_base64(token); }

    json get(const std::string& resource)
    {
        int status = 0;
        const auto answer =
            http("GET", replica.url(resource), &status, {"Authorization: Bearer " + access});
        CAPTURE(answer);
        REQUIRE(status == 200);
        return json::parse(answer);
    }

    json check(const std::string& job) const
    {
        return {{"job", job}, {"target", "example.org"}, {"frequency", 10000}, {"timeout", 3000},
            {"enabled", true}, {"probes", {probe}}, {"settings", {{"ping", json::object()}}}};
    }

    pb::RegisterProbeResult registered(grpc::StatusCode expected = grpc::StatusCode::OK)
    {
        return registered_at(replica, expected);
    }

    pb::RegisterProbeResult registered_at(
        Replica& where, grpc::StatusCode expected = grpc::StatusCode::OK) const
    {
        pb::RegisterProbeResult result;
        pb::ProbeInfo info;
        info.set_version("1.2.3");
        Context context{probe_token};
        CHECK(where.checks->RegisterProbe(&context, info, &result).error_code() == expected);
        return result;
    }
};

/// The next message about checks; one about tenants may come before it.
inline pb::CheckChange next_check(grpc::ClientReader<pb::Changes>& stream)
{
    pb::Changes changes;
    do {
        REQUIRE(stream.Read(&changes));
        CHECK(changes.checks_size() + changes.tenants_size() > 0);
    } while (changes.checks_size() == 0);
    CHECK(changes.checks_size() == 1);
    return changes.checks(0);
}

}  // namespace sonde::tests
