// Spec 04 §10: one row at least for each test of the public Go client, with the bytes that it
// sends: every field of its types, null for empty lists, no media type where it has no body.
#include "tests/contract/script.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

namespace sonde::contract {
namespace {

/// As the client encodes a check that it adds, with every field.
constexpr std::string_view check =
    R"({"id":0,"tenantId":0,"frequency":10000,"offset":0,"timeout":2000,"enabled":true,"labels":null,"settings":{"ping":{"ipVersion":"Any","dontFragment":false}},"probes":[$p],"target":"www.example.org","job":"test-go","basicMetricsOnly":true,"alertSensitivity":"","channels":null,"created":0,"modified":0,"folderUid":"folder"})";

constexpr Step steps[] = {
    {"ClientRegistrationInstall", "POST register/install", "pub-acme",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 200,
        R"({"accessToken": "$T1:access", "tenantInfo":
            {"id": "$t:id", "metricInstance": "@acme-prom", "logInstance": "@acme-logs"}})",
        "application/json; charset=utf-8"},
    {"ClientRegistrationInstall", "POST register/install", "no-token",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 401,
        "invalid API authorization token | invalid API token", "application/json; charset=utf-8"},
    {"ClientRegistrationInstall", "POST register/install", "pub-acme",
        R"({"stackId":4,"metricsInstanceId":1,"logsInstanceId":2})", 400,
        "… | stackId: unknown stack", "application/json; charset=utf-8"},
    {"CreateToken", "POST token/create", "$T1", "", 200,
        R"({"msg": "token created", "accessToken": "$T2:not T1", "token": "$T2"})"},
    {"CreateToken", "POST token/create", "wrong", "", 401,
        "invalid API authorization token | invalid API token"},
    {"ValidateToken", "POST token/validate", "$T2", "", 200,
        R"({"msg": "token is valid", "isValid": true})"},
    {"RefreshToken", "POST token/refresh", "$T2", "", 200,
        R"({"msg": "token refreshed", "accessToken": "$T3:not T2", "token": "$T3"})"},
    {"DeleteToken", "DELETE token/delete", "$T3", "", 200, R"({"msg": "token deleted"})"},
    {"DeleteToken", "DELETE token/delete", "$T3", "", 401,
        "invalid API authorization token | invalid API token"},
    {"AddProbe", "POST probe/add", "$T1",
        R"({"id":0,"tenantId":0,"name":"probe","latitude":-33.5,"longitude":151,"labels":[{"name":"a","value":"b"}],"region":"region","public":false,"online":false,"onlineChange":0,"version":"","deprecated":false,"created":0,"modified":0,"capabilities":null})",
        200,
        R"({"probe": {"id": "$p:id", "tenantId": "$t", "name": "probe", "latitude": -33.5,
            "longitude": 151.0, "labels": [{"name": "a", "value": "b"}], "region": "region",
            "public": false, "online": false, "onlineChange": "$p1:time", "version": "",
            "commit": "", "buildstamp": "", "deprecated": false, "created": "$p1",
            "modified": "$p1", "capabilities": "@capabilities"}, "token": "$P1:probe-token"})"},
    {"UpdateProbe", "POST probe/update", "$T1", R"({"id":$p,"tenantId":0,"name":"probe"})", 400,
        "… | tenantId: …"},
    {"UpdateProbe", "POST probe/update", "$T1", R"({"id":99999,"tenantId":$t,"name":"probe"})", 404,
        "probe 99999 not found | not found"},
    {"ResetProbeToken", "POST probe/update?reset-token=", "$T1",
        R"({"id":$p,"tenantId":$t,"name":"probe","latitude":-33.5,"longitude":151,"labels":null,"region":"region","public":true})",
        200,
        R"({"probe": {"id": "$p", "tenantId": "$t", "name": "probe", "latitude": -33.5,
            "longitude": 151.0, "labels": [], "region": "region", "public": false, "online": false,
            "onlineChange": "$p1", "version": "", "commit": "", "buildstamp": "",
            "deprecated": false, "created": "$p1", "modified": "$p2:after p1",
            "capabilities": "@capabilities"}, "token": "$P2:not P1"})"},
    {"ResetProbeToken", "POST probe/update?reset-token=true", "$T1",
        R"({"id":$p,"tenantId":$t,"name":"probe"})", 200,
        R"({"probe": "$probe", "token": "$P3:not P2"})"},
    {"GetProbe", "GET probe/$p", "$T1", "", 200, R"("$probe")"},
    {"GetProbe", "GET probe/123456", "$T1", "", 404, "probe 123456 not found | not found"},
    {"GetProbe", "GET probe/two", "$T1", "", 400, "… | …"},
    {"ListProbes", "GET probe/list", "$T1", "", 200, R"(["$probe"])"},
    {"AddCheck", "POST check/add", "$T1", check, 200,
        R"({"id": "$c:id", "tenantId": "$t", "frequency": 10000, "offset": 0, "timeout": 2000,
            "enabled": true, "labels": [], "settings": {"ping": {"ipVersion": "Any",
            "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "www.example.org", "job": "test-go", "basicMetricsOnly": true,
            "alertSensitivity": "none", "channels": null, "created": "$c1:time",
            "modified": "$c1", "folderUid": "folder"})"},
    {"GetCheck", "GET check/$c", "$T1", "", 200, R"("$stepAddCheck")"},
    {"GetCheck", "GET check/123456", "$T1", "", 404, "check 123456 not found | not found"},
    {"QueryChecks", "GET check/query?job=test-go&target=www.example.org", "$T1", "", 200,
        R"("$stepAddCheck")"},
    {"QueryChecks", "GET check/query?job=test-go&target=other.example.org", "$T1", "", 404,
        "… | not found"},
    {"UpdateCheckAlerts", "PUT check/$c/alerts", "$T1",
        R"({"alerts":[{"name":"ProbeFailedExecutionsTooHigh","threshold":1,"period":"5m","created":0,"modified":0}]})",
        202,
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 1, "period": "5m",
            "created": "$a:integer", "modified": "$a", "status": "OK"}]})"},
    {"GetCheckAlerts", "GET check/$c/alerts", "$T1", "", 200, R"("$stepUpdateCheckAlerts")"},
    {"ListChecks", "GET check/list", "$T1", "", 200, R"(["$stepAddCheck"])"},
    {"ListChecksWithAlerts", "GET check/list?includeAlerts=true", "$T1", "", 200,
        R"([{"id": "$c", "tenantId": "$t", "frequency": 10000, "offset": 0, "timeout": 2000,
            "enabled": true, "labels": [], "settings": {"ping": {"ipVersion": "Any",
            "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "www.example.org", "job": "test-go", "basicMetricsOnly": true,
            "alertSensitivity": "none", "channels": null, "created": "$c1", "modified": "$c1",
            "folderUid": "folder", "alerts": [{"name": "ProbeFailedExecutionsTooHigh",
                "threshold": 1, "period": "5m", "created": "$a", "modified": "$a",
                "status": "OK"}]}])"},
    {"UpdateCheck", "POST check/update", "$T1",
        R"({"id":$c,"tenantId":$t,"frequency":10000,"timeout":500,"probes":[$p],"target":"www.example.org","job":"test-go","settings":{"ping":{}}})",
        400, "Invalid incoming check | timeout: …"},
    {"UpdateCheck", "POST check/update", "$T1",
        R"({"id":$c,"tenantId":$t,"frequency":10000,"timeout":2500,"probes":[$p],"target":"www.example.org","job":"test-go","settings":{"ping":{}}})",
        200,
        R"({"id": "$c", "tenantId": "$t", "frequency": 10000, "offset": 0, "timeout": 2500,
            "enabled": false, "labels": [], "settings": {"ping": {"ipVersion": "Any",
            "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "www.example.org", "job": "test-go", "basicMetricsOnly": false,
            "alertSensitivity": "none", "channels": null, "created": "$c1",
            "modified": "$c2:after c1"})"},
    {"DeleteCheck", "DELETE check/delete/$c", "$T1", "", 200,
        R"({"msg": "check deleted", "checkId": "$c"})"},
    {"DeleteProbe", "DELETE probe/delete/$p", "$T1", "", 200,
        R"({"msg": "probe deleted", "probeID": "$p", "probeId": "$p"})"},
    {"DeleteProbe", "DELETE probe/delete/two", "$T1", "", 400, "… | …"},
    {"GetTenant", "GET tenant", "$T1", "", 200,
        R"({"id": "$t", "orgId": 1000, "metricsRemote": "@acme-metrics",
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t1:time", "modified": "$t2:time", "secretStore": null})"},
    {"UpdateTenant", "POST tenant/update", "$T1",
        R"({"id":$t,"orgId":1000,"metricsRemote":{"name":"acme-prom","url":"https://mimir.example.net/api/v1","username":"1","password":"<encrypted>"},"eventsRemote":{"name":"acme-logs","url":"https://loki.example.net/loki/api/v1","username":"2","password":"<encrypted>"},"stackId":3,"status":0,"reason":"testing","limits":null,"costAttributionLabels":null,"labelMode":0,"created":0,"modified":0,"secretStore":null})",
        200,
        R"({"msg": "tenant updated", "tenant": {"id": "$t", "orgId": 1000,
            "metricsRemote": "@acme-metrics", "eventsRemote": "@acme-events", "stackId": 3,
            "status": 0, "reason": "testing", "limits": "@limits", "costAttributionLabels": [],
            "labelMode": 0, "created": "$t1", "modified": "$t3:after t2", "secretStore": null},
            "id": "$t", "orgId": 1000, "metricsRemote": "@acme-metrics",
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "testing",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0, "created": "$t1",
            "modified": "$t3", "secretStore": null})"},
};

/// Those of the client's tests that concern no endpoint, and what covers them.
const std::map<std::string, std::string> elsewhere = {
    {"NewClient", "the client alone"},
    {"NewDatasourceClient", "HttpClient: no answer has a Location"},
    {"ClientDo", "the client alone"},
    {"Headers", "below: header values"},
    {"CustomHeadersInRequests", "below: header values"},
};

TEST_SUITE("contract/clients")
{
    TEST_CASE("the tests of the Go client")
    {
        const tests::ApiProcess api;
        Script script{api};
        script.play(steps);
        std::set<std::string> names;
        for (const Step& step : steps)
            names.emplace(step.name);
        CHECK(names.size() + elsewhere.size() == 27);
    }

    TEST_CASE("header values: any client may name itself, nobody else learns of it")
    {
        const tests::ApiProcess api;
        Script script{api};
        register_tenants(script);
        for (const char* const id : {"sm-go-client", "terraform", "x y/\"z\"", "client;\tmore"}) {
            CAPTURE(id);
            const Reply reply = script.client().send({"GET", "check/list",
                {bearer(script.text("T1")), std::string{"X-Client-ID: "} + id,
                    std::string{"X-Client-Version: "} + id, "X-Request-Id: request-77"},
                {}});
            CHECK(reply.status == 200);
            CHECK(reply.headers.at("x-request-id") == "request-77");
        }
    }
}

}  // namespace
}  // namespace sonde::contract
