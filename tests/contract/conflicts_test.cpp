// Spec 04 §3, §4, §6.8, §6.9: what each operation refuses beyond §11.3, and the operations that
// clients use beyond the seed.
#include "tests/contract/script.h"

#include <doctest/doctest.h>

namespace sonde::contract {
namespace {

constexpr Step conflicts[] = {
    {"update to a taken pair", "POST check/update", "$T1",
        R"(@ping {"id": $x, "tenantId": $t, "probes": [$p]})", 409,
        "cannot update database | target/job combination already exists"},
    {"bulk to a taken pair", "POST check/update/bulk", "$T1",
        R"([{"id": $c, "tenantId": $t, "job": "tcp", "target": "grafana.com:443",
            "frequency": 60000, "timeout": 3000, "probes": [$p],
            "settings": {"tcp": {}}}])",
        409, "… | target/job combination already exists"},
    {"bulk of what is not there", "POST check/update/bulk", "$T1",
        R"([{"id": $c, "tenantId": $t, "job": "ping", "target": "grafana.com", "frequency": 60000,
            "timeout": 3000, "probes": [$p], "settings": {"ping": {}}},
            {"id": 999999, "tenantId": $t, "job": "n", "target": "n.example.org",
            "frequency": 60000, "timeout": 3000, "probes": [$p], "settings": {"ping": {}}}])",
        404, "… | [1].…"},
    {"bulk with an invalid one", "POST check/update/bulk", "$T1",
        R"([{"id": $c, "tenantId": $t, "job": "ping", "target": "grafana.com", "frequency": 1,
            "timeout": 3000, "probes": [$p], "settings": {"ping": {}}}])",
        400, "Invalid incoming check | [0].frequency: …"},
    {"bulk of one twice", "POST check/update/bulk", "$T1",
        R"([{"id": $c, "tenantId": $t, "job": "ping", "target": "grafana.com", "frequency": 60000,
            "timeout": 3000, "probes": [$p], "settings": {"ping": {}}},
            {"id": $c, "tenantId": $t, "job": "n", "target": "n.example.org",
            "frequency": 60000, "timeout": 3000, "probes": [$p], "settings": {"ping": {}}}])",
        400, "… | [1].…"},
    {"bulk of none", "POST check/update/bulk", "$T1", "[]", 400, "… | …"},
    {"nothing of it was done", "GET check/query?job=ping&target=grafana.com", "$T1", "", 200,
        R"("$ping")"},
    {"bulk that swaps two pairs", "POST check/update/bulk", "$T1",
        R"([{"id": $c, "tenantId": $t, "job": "tcp", "target": "grafana.com:443",
            "frequency": 60000, "timeout": 3000, "probes": [$p], "settings": {"tcp": {}}},
            {"id": $x, "tenantId": $t, "job": "ping", "target": "grafana.com",
            "frequency": 60000, "timeout": 3000, "probes": [$p], "settings": {"ping": {}}}])",
        200, R"({"msg": "Bulk update successful"})"},
    {"second probe", "POST probe/add", "$T1", R"(@office {"name": "second", "labels": null})", 200,
        R"({"probe": {"id": "$q:after p", "tenantId": "$t", "name": "second", "latitude": 52.52,
            "longitude": 13.405, "labels": [], "region": "EMEA", "public": false, "online": false,
            "onlineChange": "$q1:time", "version": "", "commit": "", "buildstamp": "",
            "deprecated": false, "created": "$q1", "modified": "$q1",
            "capabilities": "@capabilities"}, "token": "$Q:probe-token"})"},
    {"probe with a taken name", "POST probe/update", "$T1", R"(@office {"id": $q, "tenantId": $t})",
        409, "… | name: already in use"},
    {"probe that is not there", "POST probe/update", "$T1",
        R"(@office {"id": 999999, "tenantId": $t, "name": "n"})", 404,
        "probe 999999 not found | not found"},
    {"probe without tenant", "POST probe/update", "$T1", R"(@office {"id": $q})", 400,
        "… | tenantId: …"},
    {"token in the body", "POST probe/update", "$T1",
        R"(@office {"id": $q, "tenantId": $t, "name": "second", "resetToken": true})", 200,
        R"({"probe": {"id": "$q", "tenantId": "$t", "name": "second", "latitude": 52.52,
            "longitude": 13.405, "labels": [{"name": "site", "value": "berlin"}], "region": "EMEA",
            "public": false, "online": false, "onlineChange": "$q1", "version": "", "commit": "",
            "buildstamp": "", "deprecated": false, "created": "$q1", "modified": "$q2:after q1",
            "capabilities": "@capabilities"}, "token": "$Q2:not Q"})"},
};

constexpr Step queries[] = {
    {"alerts: neither", "GET check/list?includeAlerts=maybe", "$T1", "", 400,
        "… | includeAlerts: …"},
    {"query without target", "GET check/query?job=ping", "$T1", "", 400, "… | target: …"},
    {"query without job", "GET check/query?target=grafana.com", "$T1", "", 400, "… | job: …"},
    {"query of nothing", "GET check/query?job=ping&target=none.example.org", "$T1", "", 404,
        "… | not found"},
    {"ampersand", "POST check/add", "$T1",
        R"(@http {"job": "a b", "target": "https://example.org/?a=1&b=2", "probes": [$p],
            "settings": {"http": {"method": null, "body": null, "headers": null,
                "validStatusCodes": null, "tlsConfig": null}}})",
        200,
        R"({"id": "$e:id", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"http": {"ipVersion": "Any",
            "method": "GET", "noFollowRedirects": false, "failIfSSL": false,
            "failIfNotSSL": false}}, "probes": ["$p"], "target": "https://example.org/?a=1&b=2",
            "job": "a b", "basicMetricsOnly": false, "alertSensitivity": "none", "channels": null,
            "created": "$e1:time", "modified": "$e1"})"},
    {"query cut short by what is not escaped",
        "GET check/query?job=a+b&target=https://example.org/?a=1&b=2", "$T1", "", 404, "… | …"},
    {"query escaped",
        "GET check/query?job=a%20b&target=https%3A%2F%2Fexample.org%2F%3Fa%3D1%26b%3D2", "$T1", "",
        200, R"("$stepampersand")"},
};

constexpr Step alerts[] = {
    {"an unknown name", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "Nothing", "threshold": 1, "period": "5m"}]})", 400,
        "… | alerts[0].name: …"},
    {"of another kind", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "HTTPRequestDurationTooHighAvg", "threshold": 1, "period": "5m"}]})",
        400, "… | alerts[0].name: …"},
    {"twice", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 1, "period": "5m"},
            {"name": "ProbeFailedExecutionsTooHigh", "threshold": 2, "period": "5m"}]})",
        400, "… | alerts[1].name: …"},
    {"no threshold", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "period": "5m"}]})", 400,
        "… | alerts[0].threshold: …"},
    {"threshold 0", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 0, "period": "5m"}]})",
        400, "… | alerts[0].threshold: …"},
    {"another period", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 1, "period": "6m"}]})",
        400, "… | alerts[0].period: …"},
    {"all of it", "PUT check/$c/alerts", "$T1",
        R"({"alerts": [{"name": "PingRequestDurationTooHighAvg", "threshold": 0.5, "period": "1h",
            "runbookUrl": "https://example.org/run"}]})",
        202,
        R"({"alerts": [{"name": "PingRequestDurationTooHighAvg", "threshold": 0.5, "period": "1h",
            "runbookUrl": "https://example.org/run", "created": "$a:integer", "modified": "$a",
            "status": "OK"}]})"},
    {"none", "PUT check/$c/alerts", "$T1", R"({"alerts": []})", 202, R"({"alerts": []})"},
    {"none read", "GET check/$c/alerts", "$T1", "", 200, R"({"alerts": []})"},
};

constexpr Step tenant[] = {
    {"limits", "GET tenant/limits", "$T1", "", 200,
        R"({"MaxChecks": 2147483647, "MaxScriptedChecks": 2147483647,
            "MaxBrowserChecks": 2147483647, "MaxMetricLabels": 22, "MaxLogLabels": 15,
            "maxAllowedMetricLabels": 5, "maxAllowedLogLabels": 5})"},
    {"settings", "GET tenant/settings", "$T1", "", 200,
        R"({"thresholds": {"uptime": {"upperLimit": 99.3, "lowerLimit": 94.6},
            "reachability": {"upperLimit": 99.3, "lowerLimit": 94.6},
            "latency": {"upperLimit": 200, "lowerLimit": 150}},
            "remote_validation_disabled": false})"},
    {"settings changed", "POST tenant/settings/update", "$T1",
        R"({"thresholds": {"uptime": {"upperLimit": 99, "lowerLimit": 90.5},
            "reachability": {"upperLimit": 98, "lowerLimit": 91},
            "latency": {"upperLimit": 300, "lowerLimit": 250}}})",
        200, R"({"msg": "settings updated"})"},
    {"settings read", "GET tenant/settings", "$T1", "", 200,
        R"({"thresholds": {"uptime": {"upperLimit": 99, "lowerLimit": 90.5},
            "reachability": {"upperLimit": 98, "lowerLimit": 91},
            "latency": {"upperLimit": 300, "lowerLimit": 250}},
            "remote_validation_disabled": false})"},
    {"settings wrong", "POST tenant/settings/update", "$T1", R"({"thresholds": 7})", 400, "… | …"},
    {"costs", "GET tenant/cals", "$T1", "", 200, R"({"names": []})"},
    {"k6", "GET channels/k6", "$T1", "", 200, R"({"channels": []})"},
    {"mode", "GET tenant/label-mode", "$T1", "", 200, R"({"mode": 0, "systemLabels": "$system"})"},
    {"mode 2", "PUT tenant/label-mode", "$T1", R"({"mode": 2})", 400, "… | mode: …"},
    {"reserved name", "POST check/update", "$T1",
        R"(@ping {"id": $c, "tenantId": $t, "probes": [$p],
            "labels": [{"name": "job", "value": "x"}]})",
        200,
        R"({"id": "$c", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [{"name": "job", "value": "x"}], "settings": {"ping": {
            "ipVersion": "Any", "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "grafana.com", "job": "ping", "basicMetricsOnly": false,
            "alertSensitivity": "none", "channels": null, "created": "$c1:time",
            "modified": "$c2:after c1"})"},
    {"mode with a reserved name", "PUT tenant/label-mode", "$T1", R"({"mode": 1})", 409,
        R"({"code": 409, "msg": "…", "err": "…", "collidingLabels": ["job"]})"},
    {"free it", "POST check/update", "$T1", R"(@ping {"id": $c, "tenantId": $t, "probes": [$p]})",
        200,
        R"({"id": "$c", "tenantId": "$t", "frequency": 60000, "offset": 0, "timeout": 3000,
            "enabled": true, "labels": [], "settings": {"ping": {
            "ipVersion": "Any", "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "grafana.com", "job": "ping", "basicMetricsOnly": false,
            "alertSensitivity": "none", "channels": null, "created": "$c1",
            "modified": "$c3:after c2"})"},
    {"mode 1", "PUT tenant/label-mode", "$T1", R"({"mode": 1})", 200,
        R"({"mode": 1, "systemLabels": "$system"})"},
    {"reserved now", "POST check/update", "$T1",
        R"(@ping {"id": $c, "tenantId": $t, "probes": [$p],
            "labels": [{"name": "job", "value": "x"}]})",
        400, "Invalid incoming check | labels[0].name: reserved"},
    {"mode back", "PUT tenant/label-mode", "$T1", R"({"mode": 0})", 400, "… | mode: …"},
    {"run now", "POST check/adhoc", "$T1", R"(@ping {"probes": [$p]})", 200,
        R"({"id": "$run:uuid", "tenantId": "$t", "timeout": 3000, "settings": {"ping": {
            "ipVersion": "Any", "dontFragment": false, "packetCount": 0}}, "probes": ["$p"],
            "target": "grafana.com", "channels": null})"},
    {"password that was never stored", "POST tenant/update", "$U1",
        R"({"id": $u, "metricsRemote": {"name": "n", "url": "ftp://example.org"}})", 400,
        "Invalid incoming tenant | metricsRemote.url: …"},
};

constexpr Step gamma[] = {
    {"install", "POST register/install", "pub-gamma",
        R"({"stackId": 12, "metricsInstanceId": 21, "logsInstanceId": 22})", 200,
        R"({"accessToken": "$G1:access", "tenantInfo": {"id": "$g:id", "metricInstance": "$m",
            "logInstance": "$l"}})"},
    {"one more token", "POST token/create", "$G1", "", 200,
        R"({"msg": "token created", "accessToken": "$G2", "token": "$G2"})"},
    {"too many tokens", "POST token/create", "$G1", "", 409, "… | …"},
    {"replaced all the same", "POST token/refresh", "$G2", "", 200,
        R"({"msg": "token refreshed", "accessToken": "$G3", "token": "$G3"})"},
    {"probe", "POST probe/add", "$G1", R"({"name": "p"})", 200,
        R"({"probe": "$probe", "token": "$GP:probe-token"})"},
};

struct Scene {
    tests::ApiProcess api{"  tokens: {max_per_tenant: 2}\n"};
    Script script{api};

    Scene()
    {
        register_tenants(script);
        add_probe_and_checks(script);
        const Reply ping = script.client().send(
            {"GET", script.filled_in("check/$c"), {bearer(script.text("T1"))}, {}});
        script.capture("ping", nlohmann::json::parse(ping.body));
    }
};

TEST_SUITE("contract/conflicts")
{
    TEST_CASE_FIXTURE(Scene, "names and pairs that are taken")
    {
        script.play(conflicts);
    }

    TEST_CASE_FIXTURE(Scene, "queries")
    {
        script.play(queries);
    }

    TEST_CASE_FIXTURE(Scene, "alerts")
    {
        script.play(alerts);
    }

    TEST_CASE_FIXTURE(Scene, "what else a tenant has")
    {
        script.play(tenant);
    }

    TEST_CASE_FIXTURE(Scene, "quotas of tokens and checks")
    {
        script.play(gamma);
        const auto probe = nlohmann::json::parse(script.text("probe")).at("id");
        script.capture("gp", probe);
        script.play(Step{
            "first", "POST check/add", "$G1", R"(@ping {"probes": [$gp]})", 200, R"("$added")"});
        script.play(Step{"second", "POST check/add", "$G1", R"(@http {"probes": [$gp]})", 409,
            "… | checks: limit of 1 reached"});
        script.play(Step{"second validated", "POST check/validate", "$G1",
            R"(@http {"probes": [$gp]})", 409, "… | checks: limit of 1 reached"});
    }
}

}  // namespace
}  // namespace sonde::contract
