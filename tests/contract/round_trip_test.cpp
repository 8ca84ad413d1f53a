// Every field of checks, probes and tenants of the seed: written over HTTP, read back over HTTP,
// delivered over gRPC. Which fields there are is asked of the schema: one without a value here
// fails.
#include "config/schema.h"
#include "tests/contract/fields.h"
#include "tests/contract/script.h"
#include "tests/support/probe_client.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

namespace sonde::contract {
namespace {

using nlohmann::json;
using tests::ProbeClient;
using tests::ProbeView;

/// No value is one that a member has by itself, and no two of a message are the same.
constexpr std::pair<const char*, const char*> checks[] = {
    {"dns", R"({"job": "all of dns", "target": "example.org", "frequency": 61000, "timeout": 4001,
        "settings": {"dns": {"ipVersion": "V6", "sourceIpAddress": "2001:db8::7",
            "server": "ns.example.org", "port": 5353, "recordType": "TXT", "protocol": "UDP",
            "validRCodes": ["NXDOMAIN", "NOERROR"],
            "validateAnswerRRS": {"failIfMatchesRegexp": ["a1", "a2"],
                "failIfNotMatchesRegexp": ["a3"]},
            "validateAuthorityRRS": {"failIfMatchesRegexp": ["b1"],
                "failIfNotMatchesRegexp": ["b2", "b3"]},
            "validateAdditionalRRS": {"failIfMatchesRegexp": ["c1"],
                "failIfNotMatchesRegexp": ["c2"]}}}})"},
    {"http", R"({"job": "all of http", "target": "https://example.org/a?b=c#d", "frequency": 62000,
        "timeout": 4002,
        "settings": {"http": {"ipVersion": "V4", "method": "PUT",
            "headers": ["X-One: 1", "X-Two: 2"], "body": "text \"ü\" <>&",
            "noFollowRedirects": true,
            "tlsConfig": {"insecureSkipVerify": true, "caCert": "Y2E=", "clientCert": "Y2VydA==",
                "clientKey": "a2V5", "serverName": "tls.example.org"},
            "basicAuth": {"username": "user", "password": "pass"},
            "bearerToken": "bearer", "proxyURL": "http://proxy.example.org:3128",
            "proxyConnectHeaders": ["P-One: 1"], "failIfSSL": true, "failIfNotSSL": true,
            "validStatusCodes": [599, 100, 204], "validHTTPVersions": ["HTTP/1.1", "HTTP/2"],
            "failIfBodyMatchesRegexp": ["m1", "m2"], "failIfBodyNotMatchesRegexp": ["n1"],
            "failIfHeaderMatchesRegexp": [{"header": "h1", "regexp": "r1", "allowMissing": true}],
            "failIfHeaderNotMatchesRegexp": [{"header": "h2", "regexp": "r2",
                "allowMissing": true}],
            "compression": "gzip", "cacheBustingQueryParamName": "bust"}}})"},
    {"ping", R"({"job": "all of ping", "target": "192.0.2.1", "frequency": 63000, "timeout": 4003,
        "settings": {"ping": {"ipVersion": "V4", "sourceIpAddress": "192.0.2.7",
            "payloadSize": 1200, "dontFragment": true, "packetCount": 5}}})"},
    {"tcp", R"({"job": "all of tcp", "target": "[2001:db8::1]:25", "frequency": 64000,
        "timeout": 4004,
        "settings": {"tcp": {"ipVersion": "V6", "sourceIpAddress": "2001:db8::8", "tls": true,
            "tlsConfig": {"insecureSkipVerify": true, "caCert": "Y2Ez", "clientCert": "Y2VydDM=",
                "clientKey": "a2V5Mw==", "serverName": "tls3.example.org"},
            "queryResponse": [{"send": "AAH/", "expect": "XjI1MA==", "startTLS": true},
                {"send": "", "expect": "Xi4="}]}}})"},
};

/// Beside the settings, the same in all checks.
constexpr std::string_view common = R"({"offset": 17, "enabled": true, "basicMetricsOnly": true,
    "alertSensitivity": "high", "folderUid": "folder-7",
    "labels": [{"name": "zone", "value": "ü 1"}, {"name": "a", "value": "2"}],
    "channels": {"k6": {"id": "channel", "manifest": "k6>=1"}}})";

/// Fields that no request of the seed sets, with all below them, and why.
const std::map<std::string, std::string> unwritten = {
    {"Check.id", "given by the server"},
    {"Check.tenantId", "of the token"},
    {"Check.created", "given by the server"},
    {"Check.modified", "given by the server"},
    {"Check.probes", "set by the test"},
    {"HttpSettings.oauth2Config", "beyond the seed; refused"},
    {"HttpSettings.secretManagerEnabled", "for probes that support secrets"},
    {"Probe.id", "given by the server"},
    {"Probe.tenantId", "of the token"},
    {"Probe.public", "reserved for the operator"},
    {"Probe.online", "what the probe does"},
    {"Probe.onlineChange", "what the probe does"},
    {"Probe.version", "what the agent says"},
    {"Probe.commit", "what the agent says"},
    {"Probe.buildstamp", "what the agent says"},
    {"Probe.created", "given by the server"},
    {"Probe.modified", "given by the server"},
    {"Probe.capabilities.enableProtocolSecrets", "what the agent says"},
};

constexpr std::string_view probe = R"({"name": "all of a probe", "latitude": -33.86882,
    "longitude": 151.2093, "region": "APAC ü", "deprecated": true,
    "labels": [{"name": "zone", "value": "v"}, {"name": "a", "value": "ü"}],
    "capabilities": {"disableScriptedChecks": true, "disableBrowserChecks": true}})";

constexpr std::string_view remotes = R"({"id": $t,
    "metricsRemote": {"name": "metrics ü", "url": "http://m.example.org:9009/api/v1",
        "username": "m-user", "password": "m-pass"},
    "eventsRemote": {"name": "events", "url": "https://e.example.org/loki/api/v1",
        "username": "e-user", "password": "e-pass"},
    "status": {"code": 0, "reason": "all is well"}})";

bool has_reason(const std::string& name)
{
    return std::any_of(unwritten.begin(), unwritten.end(),
        [&](const auto& row) { return name == row.first || name.starts_with(row.first + "."); });
}

/// Fails for each field of a message that has neither a value in `written` nor a reason not to.
void has_all_of(const google::protobuf::Descriptor& message, const json& written)
{
    walk(message, [&](const std::string& path) {
        const std::string name = message.name() + "." + path;
        const json value = member_at(written, path);
        if (message.name() == "Check" && path.starts_with("settings."))
            return;  // the kinds are walked one by one
        CHECK_MESSAGE((has_reason(name) || !value.is_discarded()), name);
    });
}

struct Scene {
    tests::ApiProcess api;
    Script script{api};

    json call(const char* method, const std::string& path, const json& body = nullptr) const
    {
        Request request{method, path, {bearer(script.text("T1"))}, {}};
        if (!body.is_null()) {
            request.body = body.dump();
            request.headers.emplace_back("Content-Type: application/json");
        }
        const Reply reply = script.client().send(request);
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
        return json::parse(reply.body);
    }

    /// The check as it is answered, having been found equal to what was asked for.
    json add(const char* kind, json wanted, std::int64_t on_probe) const
    {
        wanted.merge_patch(json::parse(common));
        wanted["probes"] = {on_probe};
        const json added = call("POST", "check/add", wanted);
        if (std::string_view{kind} == "dns") {  // the spellings of the seed, too
            json& dns = wanted["settings"]["dns"];
            dns["validRCode"] = dns["validRCodes"];
            dns["validateAditionalRRS"] = dns["validateAdditionalRRS"];
        }
        for (const char* const own : {"id", "tenantId", "created", "modified"})
            wanted[own] = added.at(own);
        CHECK(added == wanted);
        CHECK(added["created"] == added["modified"]);
        CHECK(call("GET", "check/" + added["id"].dump()) == added);
        return added;
    }
};

TEST_SUITE("contract/round trip")
{
    TEST_CASE("every field of the schema has a value here, or a reason to have none")
    {
        std::set<std::string> kinds;
        for (const auto& [kind, text] : checks) {
            const json settings = json::parse(text)["settings"][kind];
            const auto& all = *pb::CheckSettings::descriptor();
            has_all_of(*all.FindFieldByName(kind)->message_type(), settings);
            kinds.insert(kind);
        }
        json check = json::parse(common);
        check.merge_patch(json::parse(checks[0].second));
        has_all_of(*pb::Check::descriptor(), check);
        has_all_of(*pb::Probe::descriptor(), json::parse(probe));
        CHECK(kinds == std::set<std::string>{"dns", "http", "ping", "tcp"});
    }

    TEST_CASE_FIXTURE(Scene, "what was written is read, and delivered")
    {
        register_tenants(script);
        const json added = call("POST", "probe/add", json::parse(probe));
        json wanted = json::parse(probe);
        for (const auto& [name, value] : added["probe"].items())
            if (!wanted.contains(name))
                wanted[name] = value;
        wanted["capabilities"]["enableProtocolSecrets"] = false;
        CHECK(added["probe"] == wanted);
        const std::int64_t id = added["probe"]["id"];
        CHECK(call("GET", "probe/" + std::to_string(id)) == added["probe"]);

        const json updated = call("POST", "tenant/update", json::parse(script.filled_in(remotes)));
        std::map<std::int64_t, json> written;
        for (const auto& [kind, text] : checks) {
            CAPTURE(kind);
            const json answer = add(kind, json::parse(text), id);
            written[answer["id"]] = answer;
        }
        json listed = json::array();
        for (const auto& [its_id, check] : written)
            listed.push_back(check);
        CHECK(call("GET", "check/list") == listed);
        CHECK(call("GET", "tenant") == updated["tenant"]);

        const ProbeClient agent{added["token"], {api.grpc_address()}};
        REQUIRE(agent.await([&](const ProbeView& view) {
            return view.checks.size() == written.size() && !view.tenants.empty();
        }));
        const ProbeView view = agent.view();
        for (const auto& [its_id, check] : written)
            for (const std::string& each : differences(view.checks.at(its_id), check))
                FAIL_CHECK(check["job"] << ": " << each);
        const pb::Tenant& tenant = view.tenants.at(std::stoll(script.text("t")));
        const std::vector<std::string> secret{"metricsRemote.password", "eventsRemote.password"};
        for (const std::string& each : differences(tenant, updated["tenant"], secret))
            FAIL_CHECK("tenant: " << each);
        CHECK(tenant.metricsremote().password() == "m-pass");
        CHECK(tenant.eventsremote().password() == "e-pass");
        const std::vector<std::string> of_session{
            "online", "onlineChange", "version", "commit", "buildstamp"};
        for (const std::string& each : differences(view.probe, added["probe"], of_session))
            FAIL_CHECK("probe: " << each);
        for (const std::string& odd : view.odd)
            FAIL_CHECK(odd);
    }

    TEST_CASE_FIXTURE(
        Scene, "an update replaces every field, and what is left out gets its default")
    {
        register_tenants(script);
        const std::int64_t on = call("POST", "probe/add", json::parse(probe))["probe"]["id"];
        for (const auto& [kind, text] : checks) {
            CAPTURE(kind);
            const json full = add(kind, json::parse(text), on);
            const json before = call("POST", "check/add",
                {{"job", std::string{"little "} + kind}, {"target", full["target"]},
                    {"frequency", 60'000}, {"timeout", 3'000}, {"probes", {on}},
                    {"settings",
                        {{kind, std::string_view{kind} == "dns" ? json{{"server", "192.0.2.53"}}
                                                                : json::object()}}}});
            json more = full;
            for (const char* const own : {"id", "created"})
                more[own] = before[own];
            more["job"] = before["job"];
            json after = call("POST", "check/update", more);
            CHECK(after["modified"] > before["modified"]);
            more["modified"] = after["modified"];
            CHECK(after == more);
            json less = before;
            less["job"] = before["job"];
            after = call("POST", "check/update", less);
            less["modified"] = after["modified"];
            less["channels"] = full["channels"];  // the one member that stays (spec 04 §2.8)
            CHECK(after == less);
        }
    }
}

}  // namespace
}  // namespace sonde::contract
