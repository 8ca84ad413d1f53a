// The gRPC services over a real socket, with the HTTP API beside them, as a probe meets them.
#include "tests/unit/agent/control/calls.h"
#include "tests/unit/agent/control/installation.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/rpc")
{
    TEST_CASE_FIXTURE(
        Installation, "no call is answered without the token of a probe (spec 04 §9.1)")
    {
        using grpc::StatusCode;
        struct Row {
            const char* what;
            Metadata metadata;
            StatusCode code;
        };
        const std::string good = "Bearer " + probe_token;
        const Row rows[] = {
            {"none", {}, StatusCode::UNAUTHENTICATED},
            {"two", {{"authorization", good}, {"authorization", good}},
                StatusCode::UNAUTHENTICATED},
            {"no scheme", {{"authorization", probe_token}}, StatusCode::UNAUTHENTICATED},
            {"another scheme", {{"authorization", "Basic " + probe_token}},
                StatusCode::UNAUTHENTICATED},
            {"nothing behind it", {{"authorization", "Bearer "}}, StatusCode::UNAUTHENTICATED},
            {"elsewhere", {{"x-token", good}}, StatusCode::UNAUTHENTICATED},
            {"unknown", bearer("wrong"), StatusCode::PERMISSION_DENIED},
            {"unknown, in base64", bearer(text::base64("wrong")), StatusCode::PERMISSION_DENIED},
            {"in base64 twice", bearer(text::base64(text::base64(probe_token))),
                StatusCode::PERMISSION_DENIED},
            {"of a tenant", bearer(access), StatusCode::PERMISSION_DENIED},
        };
        for (const Row& row : rows) {
            CAPTURE(row.what);
            CHECK(
                codes_of_all_calls(replica, row.metadata) == std::vector<StatusCode>(8, row.code));
        }
    }

    TEST_CASE_FIXTURE(
        Installation, "a token counts raw and in base64, as the API and its clients show it")
    {
        for (const std::string& spelling : {probe_token, text::base64(probe_token)}) {
            pb::PongResponse pong;
            Context context{spelling};
            CHECK(checks->Ping(&context, {}, &pong).ok());
        }
    }

    TEST_CASE_FIXTURE(Installation, "the ad-hoc service knows of no other agent of a probe")
    {
        registered();
        for (int i = 0; i < 2; ++i) {
            pb::RegisterProbeResult result;
            Context context{probe_token};
            REQUIRE(ad_hoc->RegisterProbe(&context, {}, &result).ok());
            CHECK(result.status().code() == pb::OK);
            CHECK(result.probe().id() == probe);
        }
    }

    TEST_CASE_FIXTURE(Installation, "RegisterK6Version: the newest of each major version is shown")
    {
        CHECK_FALSE(get("probe/list")[0].contains("k6Versions"));
        pb::RegisterK6VersionRequest request;
        for (const char* version : {"v1.9.0", "v1.10.2", "v2.0.0-rc.1", "no version\n", ""})
            request.add_versions()->set_version(version);
        pb::RegisterK6VersionResponse response;
        Context context{probe_token};
        REQUIRE(replica.k6->RegisterK6Version(&context, request, &response).ok());
        CHECK(response.has_status());
        CHECK(response.status().code() == pb::OK);  // agents repeat it for ever otherwise
        const json shown = {{"v1", "v1.10.2"}, {"v2", "v2.0.0-rc.1"}};
        CHECK(get("probe/list")[0]["k6Versions"] == shown);
        CHECK(get(fmt::format("probe/{}", probe))["k6Versions"] == shown);
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
