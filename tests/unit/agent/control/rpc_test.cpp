// The gRPC services over a real socket, with the HTTP API beside them, as a probe meets them.
#include "agent/base/text.h"
#include "agent/control/control.h"
#include "agent/control/secrets.h"
#include "config/services.h"
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <nlohmann/json.hpp>

#include <thread>

using namespace sonde;
using nlohmann::json;
namespace asio = boost::asio;

namespace {

constexpr auto directory_text = R"(version: 1
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

struct Installation {
    tests::ScratchFolder folder;
    asio::io_context loop;
    asio::executor_work_guard<asio::io_context::executor_type> open{loop.get_executor()};
    asio::thread_pool workers{2};
    std::unique_ptr<control::Control> control;
    std::jthread thread;
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<pb::Checks::Stub> checks;
    std::unique_ptr<pb::Tenants::Stub> tenants;
    std::unique_ptr<pb::AdHocChecks::Stub> ad_hoc;
    std::string access;
    std::string probe_token;
    std::int64_t probe = 0;

    Installation()
    {
        config::ControlConfig config;
        config.http.listen = {{"127.0.0.1", 0}};
        config.grpc.listen = {{"127.0.0.1", 0}};
        config.database_file = folder.path("control.db");
        config.secrets_key_file = folder.path("key");
        config.directory = fmt::format(directory_text, control::sha256_hex("pub-acme"));
        control = std::make_unique<control::Control>(loop.get_executor(), workers, config);
        const auto started = control->start();
        REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().message));
        thread = std::jthread{[this] { loop.run(); }};
        channel = grpc::CreateChannel(fmt::format("127.0.0.1:{}", control->grpc_ports().front()),
            grpc::InsecureChannelCredentials());
        checks = pb::Checks::NewStub(channel);
        tenants = pb::Tenants::NewStub(channel);
        ad_hoc = pb::AdHocChecks::NewStub(channel);
        access = install(3);
        const json added = post("probe/add", {{"name", "mine"}, {"region", "EMEA"}});
        probe = added["probe"]["id"];
        probe_token = decoded(added["token"]);
    }

    ~Installation()
    {
        asio::co_spawn(loop, control->stop(), asio::use_future).get();
        open.reset();
        thread.join();
        control.reset();
    }

    std::string install(std::int64_t stack)
    {
        access = "pub-acme";
        return post("register/install",
            {{"stackId", stack}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}})["accessToken"];
    }

    json post(const std::string& resource, const json& body)
    {
        int status = 0;
        const auto answer = tests::http("POST",
            fmt::format("http://127.0.0.1:{}/api/v1/{}", control->http_ports().front(), resource),
            &status, {"Authorization: Bearer " + access, "Content-Type: application/json"},
            body.dump());
        CAPTURE(answer);
        REQUIRE(status == 200);
        return json::parse(answer);
    }

    void remove(const std::string& resource)
    {
        int status = 0;
        tests::http("DELETE",
            fmt::format("http://127.0.0.1:{}/api/v1/{}", control->http_ports().front(), resource),
            &status, {"Authorization: Bearer " + access});
        REQUIRE(status == 200);
    }

    /// The API shows a token in base64.
    static std::string decoded(const std::string& token) { return *text::from_base64(token); }

    json check(const std::string& job) const
    {
        return {{"job", job}, {"target", "example.org"}, {"frequency", 10000}, {"timeout", 3000},
            {"enabled", true}, {"probes", {probe}}, {"settings", {{"ping", json::object()}}}};
    }

    pb::RegisterProbeResult registered(grpc::StatusCode expected = grpc::StatusCode::OK)
    {
        pb::RegisterProbeResult result;
        pb::ProbeInfo info;
        info.set_version("1.2.3");
        Context context{probe_token};
        CHECK(checks->RegisterProbe(&context, info, &result).error_code() == expected);
        return result;
    }
};

/// The next message about checks; one about tenants may come before it.
pb::CheckChange next_check(grpc::ClientReader<pb::Changes>& stream)
{
    pb::Changes changes;
    do {
        REQUIRE(stream.Read(&changes));
        CHECK(changes.checks_size() + changes.tenants_size() > 0);
    } while (changes.checks_size() == 0);
    CHECK(changes.checks_size() == 1);
    return changes.checks(0);
}

/// The codes of every call that a probe may make with `token`.
std::vector<grpc::StatusCode> codes(Installation& at, const std::string& token)
{
    std::vector<grpc::StatusCode> out;
    pb::RegisterProbeResult result;
    pb::PongResponse pong;
    pb::Tenant tenant;
    pb::Changes changes;
    pb::AdHocRequest request;
    Context first{token};
    out.push_back(at.checks->RegisterProbe(&first, {}, &result).error_code());
    Context second{token};
    out.push_back(at.checks->Ping(&second, {}, &pong).error_code());
    Context third{token};
    const auto stream = at.checks->GetChanges(&third, {});
    CHECK_FALSE(stream->Read(&changes));
    out.push_back(stream->Finish().error_code());
    Context fourth{token};
    out.push_back(at.tenants->GetTenant(&fourth, {}, &tenant).error_code());
    Context fifth{token};
    out.push_back(at.ad_hoc->RegisterProbe(&fifth, {}, &result).error_code());
    Context sixth{token};
    const auto asked = at.ad_hoc->GetAdHocChecks(&sixth, {});
    CHECK_FALSE(asked->Read(&request));
    out.push_back(asked->Finish().error_code());
    return out;
}

}  // namespace

TEST_SUITE("agent/control/rpc")
{
    TEST_CASE_FIXTURE(Installation, "no call is answered without the token of a probe")
    {
        using grpc::StatusCode;
        CHECK(codes(*this, "") == std::vector<StatusCode>(6, StatusCode::UNAUTHENTICATED));
        CHECK(codes(*this, "wrong") == std::vector<StatusCode>(6, StatusCode::PERMISSION_DENIED));
        // A tenant's token is none of a probe.
        CHECK(codes(*this, access) == std::vector<StatusCode>(6, StatusCode::PERMISSION_DENIED));
    }

    TEST_CASE_FIXTURE(Installation, "RegisterProbe tells the probe who it is")
    {
        const auto result = registered();
        CHECK(result.status().code() == pb::OK);
        CHECK(result.probe().id() == probe);
        CHECK(result.probe().name() == "mine");
        CHECK(result.probe().region() == "EMEA");
        CHECK(result.probe().capabilities().disablescriptedchecks());
        CHECK(result.probe().capabilities().disablebrowserchecks());
    }

    TEST_CASE_FIXTURE(Installation, "GetChanges: everything first, then each change")
    {
        post("check/add", check("first"));
        registered();
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        CHECK_FALSE(changes.isdeltafirstbatch());
        REQUIRE(changes.checks_size() == 1);
        CHECK(changes.checks(0).operation() == pb::CHECK_ADD);
        CHECK(changes.checks(0).check().job() == "first");
        CHECK(changes.checks(0).check().settings().has_ping());

        json second = post("check/add", check("second"));
        pb::CheckChange change = next_check(*stream);
        CHECK(change.check().job() == "second");
        CHECK(change.operation() == pb::CHECK_ADD);

        second["timeout"] = 2000;
        post("check/update", second);
        change = next_check(*stream);
        CHECK(change.operation() == pb::CHECK_UPDATE);
        CHECK(change.check().timeout() == 2000);

        second["enabled"] = false;
        post("check/update", second);
        CHECK(next_check(*stream).operation() == pb::CHECK_DELETE);

        remove("check/delete/1");
        change = next_check(*stream);
        CHECK(change.operation() == pb::CHECK_DELETE);
        CHECK(change.check().id() == 1);
    }

    TEST_CASE_FIXTURE(Installation, "GetChanges: who knows a check gets what is new to it")
    {
        const json known = post("check/add", check("first"));
        registered();
        {
            Context context{probe_token};
            const auto stream = checks->GetChanges(&context, {});
            pb::Changes changes;
            REQUIRE(stream->Read(&changes));
            context.TryCancel();
            stream->Finish();
        }
        post("check/add", check("second"));
        // The stream's end is noticed a moment later: until then the probe is still connected.
        pb::RegisterProbeResult result;
        do
            result = registered();
        while (result.status().code() == pb::ALREADY_EXISTS);
        pb::ProbeState state;
        auto* ref = state.add_checks();
        ref->set_id(known["id"]);
        ref->set_lastmodified(known["modified"]);
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, state);
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        CHECK(changes.isdeltafirstbatch());
        REQUIRE(changes.checks_size() == 1);
        CHECK(changes.checks(0).check().job() == "second");
    }

    TEST_CASE_FIXTURE(Installation, "one agent at a time: a second one is told so")
    {
        registered();
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        const auto second = registered();
        CHECK(second.status().code() == pb::ALREADY_EXISTS);
        CHECK_FALSE(second.status().message().empty());
    }

    TEST_CASE_FIXTURE(Installation, "a stream without registration is refused, to come back")
    {
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, {});
        pb::Changes changes;
        CHECK_FALSE(stream->Read(&changes));
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
    }

    TEST_CASE_FIXTURE(Installation, "a new token ends the stream of the old one, and the old one")
    {
        registered();
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        post("probe/update?reset-token=true",
            {{"id", probe}, {"tenantId", 2}, {"name", "mine"}, {"region", "EMEA"}});
        CHECK_FALSE(stream->Read(&changes));
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
        registered(grpc::StatusCode::PERMISSION_DENIED);
    }

    TEST_CASE_FIXTURE(Installation, "a changed probe comes back for its new data")
    {
        registered();
        Context context{probe_token};
        const auto stream = checks->GetChanges(&context, {});
        pb::Changes changes;
        REQUIRE(stream->Read(&changes));
        post(
            "probe/update", {{"id", probe}, {"tenantId", 2}, {"name", "mine"}, {"region", "APAC"}});
        CHECK_FALSE(stream->Read(&changes));
        CHECK(stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
    }

    TEST_CASE_FIXTURE(Installation, "Ping answers with the same number")
    {
        pb::PingRequest request;
        request.set_sequence(77);
        pb::PongResponse pong;
        Context context{probe_token};
        REQUIRE(checks->Ping(&context, request, &pong).ok());
        CHECK(pong.sequence() == 77);
    }

    TEST_CASE_FIXTURE(Installation, "GetTenant: its own with credentials, no other")
    {
        pb::TenantInfo info;
        info.set_id(2);
        pb::Tenant tenant;
        Context own{probe_token};
        REQUIRE(tenants->GetTenant(&own, info, &tenant).ok());
        CHECK(tenant.id() == 2);
        CHECK(tenant.metricsremote().url() == "https://mimir.example.net/api/prom");
        CHECK(tenant.metricsremote().username() == "1");
        CHECK(tenant.metricsremote().password() == "pub-acme");
        CHECK(tenant.eventsremote().username() == "2");

        const std::string first = std::exchange(access, "");
        install(4);
        access = first;
        info.set_id(3);
        Context other{probe_token};
        CHECK(
            tenants->GetTenant(&other, info, &tenant).error_code() == grpc::StatusCode::NOT_FOUND);
        info.set_id(99);
        Context nobody{probe_token};
        CHECK(
            tenants->GetTenant(&nobody, info, &tenant).error_code() == grpc::StatusCode::NOT_FOUND);
    }
}
