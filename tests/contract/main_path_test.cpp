// Spec 04 §11.1: the main path, against the program, with a probe that follows.
#include "tests/contract/script.h"
#include "tests/support/probe_client.h"

#include <doctest/doctest.h>

#include <set>

namespace sonde::contract {
namespace {

using tests::ProbeClient;
using tests::ProbeView;

constexpr Step registration[] = {
    {"1", "POST register/install", "pub-acme",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 200,
        R"({"accessToken": "$T1:access", "tenantInfo":
            {"id": "$t:id", "metricInstance": "@acme-prom", "logInstance": "@acme-logs"}})"},
    {"2", "POST register/install", "pub-acme",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 200,
        R"({"accessToken": "$T2:not T1", "tenantInfo":
            {"id": "$t", "metricInstance": "@acme-prom", "logInstance": "@acme-logs"}})"},
    {"3", "POST token/validate", "$T1", "", 200, R"({"msg": "token is valid", "isValid": true})"},
    {"4", "GET tenant", "$T1", "", 200,
        R"({"id": "$t", "orgId": 1000, "metricsRemote": "@acme-metrics",
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t_created:time", "modified": "$t_modified:time", "secretStore": null})"},
    {"5", "POST token/create", "$T1", "", 200,
        R"({"msg": "token created", "accessToken": "$T3:access", "token": "$T3"})"},
    {"6", "POST token/refresh", "$T3", "", 200,
        R"({"msg": "token refreshed", "accessToken": "$T4:access", "token": "$T4:not T3"})"},
    {"6 old", "POST token/validate", "$T3", "", 401,
        "invalid API authorization token | invalid API token"},
    {"6 new", "POST token/validate", "$T4", "", 200,
        R"({"msg": "token is valid", "isValid": true})"},
    {"7", "DELETE token/delete", "$T4", "", 200, R"({"msg": "token deleted"})"},
    {"7 gone", "POST token/validate", "$T4", "", 401,
        "invalid API authorization token | invalid API token"},
    {"7 first", "POST token/validate", "$T1", "", 200,
        R"({"msg": "token is valid", "isValid": true})"},
    {"7 second", "POST token/validate", "$T2", "", 200,
        R"({"msg": "token is valid", "isValid": true})"},
    {"8 checks", "GET check/list", "$T1", "", 200, "[]"},
    {"8 probes", "GET probe/list", "$T1", "", 200, "[]"},
};

constexpr Step probes[] = {
    {"9", "POST probe/add", "$T1",
        R"({"name":"office","latitude":52.52,"longitude":13.405,"region":"EMEA","labels":[{"name":"site","value":"berlin"}]})",
        200,
        R"({"probe": {"id": "$p:id", "tenantId": "$t", "name": "office", "latitude": 52.52,
            "longitude": 13.405, "labels": [{"name": "site", "value": "berlin"}], "region": "EMEA",
            "public": false, "online": false, "onlineChange": "$p1:time", "version": "",
            "commit": "", "buildstamp": "", "deprecated": false, "created": "$p1",
            "modified": "$p1", "capabilities": "@capabilities"}, "token": "$P1:probe-token"})"},
    {"10", "GET probe/$p", "$T1", "", 200,
        R"({"id": "$p", "tenantId": "$t", "name": "office", "latitude": 52.52,
            "longitude": 13.405, "labels": [{"name": "site", "value": "berlin"}], "region": "EMEA",
            "public": false, "online": false, "onlineChange": "$p1", "version": "",
            "commit": "", "buildstamp": "", "deprecated": false, "created": "$p1",
            "modified": "$p1", "capabilities": "@capabilities"})"},
    {"11", "POST probe/update", "$T1",
        R"({"id":$p,"tenantId":$t,"name":"office-2","latitude":52.52,"longitude":13.405,"region":"EMEA"})",
        200,
        R"({"probe": {"id": "$p", "tenantId": "$t", "name": "office-2", "latitude": 52.52,
            "longitude": 13.405, "labels": [], "region": "EMEA", "public": false, "online": false,
            "onlineChange": "$p1", "version": "", "commit": "", "buildstamp": "",
            "deprecated": false, "created": "$p1", "modified": "$p2:after p1",
            "capabilities": "@capabilities"}})"},
    {"12", "POST probe/update?reset-token", "$T1",
        R"({"id":$p,"tenantId":$t,"name":"office-2","latitude":52.52,"longitude":13.405,"region":"EMEA"})",
        200,
        R"({"probe": {"id": "$p", "tenantId": "$t", "name": "office-2", "latitude": 52.52,
            "longitude": 13.405, "labels": [], "region": "EMEA", "public": false, "online": false,
            "onlineChange": "$p1", "version": "", "commit": "", "buildstamp": "",
            "deprecated": false, "created": "$p1", "modified": "$p3:after p2",
            "capabilities": "@capabilities"}, "token": "$P2:not P1"})"},
};

constexpr Step checks[] = {
    {"13", "POST check/add", "$T1",
        R"({"job":"ping","target":"grafana.com","frequency":60000,"timeout":3000,"enabled":true,"probes":[$p],"settings":{"ping":{}}})",
        200,
        R"({"id": "$c:id", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"ping": {"ipVersion": "Any",
            "dontFragment": false, "packetCount": 0}}, "probes": ["$p"], "target": "grafana.com",
            "job": "ping", "basicMetricsOnly": false, "alertSensitivity": "none",
            "channels": null, "created": "$c1:time", "modified": "$c1"})"},
    {"14", "POST check/add", "$T1", R"(@http {"probes": [$p]})", 200,
        R"({"id": "$h:id", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"http": {"ipVersion": "Any",
            "method": "POST", "headers": ["A: b"], "body": "x", "noFollowRedirects": false,
            "tlsConfig": {"caCert": "LS0t"}, "failIfSSL": false, "failIfNotSSL": false,
            "validStatusCodes": [200, 204]}}, "probes": ["$p"], "target": "https://grafana.com/",
            "job": "http", "basicMetricsOnly": false, "alertSensitivity": "none",
            "channels": null, "created": "$h1:time", "modified": "$h1"})"},
    {"15", "POST check/add", "$T1", R"(@dns {"probes": [$p]})", 200,
        R"({"id": "$d:id", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"dns": {"ipVersion": "Any",
            "server": "8.8.8.8", "port": 53, "recordType": "A", "protocol": "UDP",
            "validRCodes": ["NOERROR"], "validRCode": ["NOERROR"]}}, "probes": ["$p"],
            "target": "grafana.com", "job": "dns", "basicMetricsOnly": false,
            "alertSensitivity": "none", "channels": null, "created": "$d1:time",
            "modified": "$d1"})"},
    {"16", "POST check/add", "$T1", R"(@tcp {"probes": [$p]})", 200,
        R"({"id": "$x:id", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"tcp": {"ipVersion": "Any", "tls": true,
            "queryResponse": [{"send": "aGk=", "expect": "b2s="}]}}, "probes": ["$p"],
            "target": "grafana.com:443", "job": "tcp", "basicMetricsOnly": false,
            "alertSensitivity": "none", "channels": null, "created": "$x1:time",
            "modified": "$x1"})"},
    {"17", "GET check/$c", "$T1", "", 200, R"("$step13")"},
    {"17 query", "GET check/query?job=ping&target=grafana.com", "$T1", "", 200, R"("$step13")"},
};

/// What the connected probe must come to run after a step, by the names of the checks.
struct Heard {
    Step step;
    std::string_view runs;
};

constexpr std::string_view tenant_of_21 = R"({"id": "$t", "orgId": 1000,
    "metricsRemote": "@acme-metrics", "eventsRemote": "@acme-events", "stackId": 3, "status": 0,
    "reason": "", "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
    "created": "$t_created", "modified": "$t21", "secretStore": null})";

constexpr Heard changes[] = {
    {{"17 probe", "GET check/$c", "$T1", "", 200, R"("$step13")"}, "c h d x"},
    {{"18", "POST check/update", "$T1",
         R"({"id":$c,"tenantId":$t,"job":"ping","target":"grafana.com","frequency":60000,"timeout":3000,"enabled":false,"probes":[$p],"settings":{"ping":{}}})",
         200,
         R"({"id": "$c", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": false, "labels": [], "settings": {"ping": {"ipVersion": "Any",
            "dontFragment": false, "packetCount": 0}}, "probes": ["$p"], "target": "grafana.com",
            "job": "ping", "basicMetricsOnly": false, "alertSensitivity": "none",
            "channels": null, "created": "$c1", "modified": "$c2:after c1"})"},
        "h d x"},
    {{"19", "PUT check/$c/alerts", "$T1",
         R"({"alerts":[{"name":"ProbeFailedExecutionsTooHigh","threshold":1,"period":"5m"}]})", 202,
         R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 1, "period": "5m",
            "created": "$a:integer", "modified": "$a", "status": "OK"}]})"},
        "h d x"},
    {{"19 read", "GET check/$c/alerts", "$T1", "", 200, R"("$step19")"}, "h d x"},
    {{"20", "POST tenant/update", "$T1", R"({"id":$t,"status":{"code":1,"reason":"maintenance"}})",
         200,
         R"({"msg": "tenant updated", "tenant": {"id": "$t", "orgId": 1000,
            "metricsRemote": "@acme-metrics", "eventsRemote": "@acme-events", "stackId": 3,
            "status": 1, "reason": "maintenance", "limits": "@limits",
            "costAttributionLabels": [], "labelMode": 0, "created": "$t_created",
            "modified": "$t20:after t_modified", "secretStore": null},
            "id": "$t", "orgId": 1000, "metricsRemote": "@acme-metrics",
            "eventsRemote": "@acme-events", "stackId": 3, "status": 1, "reason": "maintenance",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t_created", "modified": "$t20", "secretStore": null})"},
        ""},
    {{"21", "POST tenant/update", "$T1", R"({"id":$t,"status":{"code":0,"reason":""}})", 200,
         R"({"msg": "tenant updated", "tenant": {"id": "$t", "orgId": 1000,
            "metricsRemote": "@acme-metrics", "eventsRemote": "@acme-events", "stackId": 3,
            "status": 0, "reason": "", "limits": "@limits", "costAttributionLabels": [],
            "labelMode": 0, "created": "$t_created", "modified": "$t21:after t20",
            "secretStore": null},
            "id": "$t", "orgId": 1000, "metricsRemote": "@acme-metrics",
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t_created", "modified": "$t21", "secretStore": null})"},
        "h d x"},
    {{"21 read", "GET tenant", "$T1", "", 200, tenant_of_21}, "h d x"},
};

constexpr Step remote[] = {
    {"22", "POST tenant/update", "$T1",
        R"({"id":$t,"metricsRemote":{"name":"m","url":"http://mimir:9009/api/v1","username":"1","password":"new"}})",
        200,
        R"({"msg": "tenant updated", "tenant": {"id": "$t", "orgId": 1000,
            "metricsRemote": {"name": "m", "url": "http://mimir:9009/api/v1", "username": "1",
                "password": "<encrypted>"},
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t_created", "modified": "$t22:after t21", "secretStore": null},
            "id": "$t", "orgId": 1000,
            "metricsRemote": {"name": "m", "url": "http://mimir:9009/api/v1", "username": "1",
                "password": "<encrypted>"},
            "eventsRemote": "@acme-events", "stackId": 3, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0,
            "created": "$t_created", "modified": "$t22", "secretStore": null})"},
};

constexpr Step end[] = {
    {"23 ping", "DELETE check/delete/$c", "$T1", "", 200,
        R"({"msg":"check deleted","checkId":"$c"})"},
    {"23 http", "DELETE check/delete/$h", "$T1", "", 200,
        R"({"msg":"check deleted","checkId":"$h"})"},
    {"23 dns", "DELETE check/delete/$d", "$T1", "", 200,
        R"({"msg":"check deleted","checkId":"$d"})"},
    {"23 tcp", "DELETE check/delete/$x", "$T1", "", 200,
        R"({"msg":"check deleted","checkId":"$x"})"},
    {"24", "DELETE probe/delete/$p", "$T1", "", 200,
        R"({"msg":"probe deleted","probeID":"$p","probeId":"$p"})"},
    {"25", "DELETE tenant/delete/$t", "$T1", "", 200,
        R"({"msg":"tenant deleted","tenantId":"$t"})"},
    {"26", "POST token/validate", "$T1", "", 401,
        "invalid API authorization token | invalid API token"},
    {"26 other", "GET tenant", "$T2", "", 401,
        "invalid API authorization token | invalid API token"},
    {"27", "POST register/install", "pub-acme",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 200,
        R"({"accessToken": "$T5:access", "tenantInfo":
            {"id": "$t2:after t", "metricInstance": "@acme-prom", "logInstance": "@acme-logs"}})"},
};

std::set<std::string> ids_of(std::string_view names, const Script& script)
{
    std::set<std::string> out;
    for (const char name : names)
        if (name != ' ')
            out.insert(script.text(std::string{name}));
    return out;
}

std::set<std::string> running(const ProbeView& view)
{
    std::set<std::string> out;
    for (const auto& [id, check] : view.checks)
        out.insert(std::to_string(id));
    return out;
}

TEST_SUITE("contract/scenarios")
{
    TEST_CASE("the main path")
    {
        const tests::ApiProcess api;
        Script script{api};
        script.play(registration);
        script.play(probes);
        script.play(checks);
        std::optional<ProbeClient> probe;
        probe.emplace(script.text("P2"), std::vector{api.grpc_address()});
        for (const Heard& each : changes) {
            script.play(each.step);
            CAPTURE(each.step.name);
            const auto wanted = ids_of(each.runs, script);
            CHECK(probe->await([&](const ProbeView& view) {
                return view.sessions > 0 && running(view) == wanted;
            }));
        }
        script.play(remote);
        CHECK(probe->await([&](const ProbeView& view) {
            const auto tenant = view.tenants.find(std::stoll(script.text("t")));
            return tenant != view.tenants.end() &&
                   tenant->second.metricsremote().password() == "new" &&
                   tenant->second.metricsremote().url() == "http://mimir:9009/api/v1";
        }));
        for (const std::string& odd : probe->view().odd)
            FAIL_CHECK(odd);
        script.play(end);
        CHECK(probe->await([](const ProbeView& view) { return view.refused > 0; }));
        probe.reset();
        CHECK(api.log().find("AddressSanitizer") == std::string::npos);
    }
}

}  // namespace
}  // namespace sonde::contract
