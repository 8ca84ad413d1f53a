// The gRPC services over a real socket, with the HTTP API beside them, as a probe meets them.
#include "tests/unit/agent/control/installation.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

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

    TEST_CASE_FIXTURE(Installation, "a check with secrets wants a probe whose agent knows them")
    {
        json with = check("secrets");
        with["target"] = "https://example.org/";
        with["settings"] = {{"http", {{"secretManagerEnabled", true}}}};
        CHECK(post("check/add", with, 400)["msg"] == "Invalid probes used for check");
        pb::ProbeInfo info;
        info.set_supportsprotocolsecrets(true);
        pb::RegisterProbeResult result;
        Context context{probe_token};
        REQUIRE(checks->RegisterProbe(&context, info, &result).ok());
        post("check/add", with);
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
