#include "tests/contract/calls.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace sonde::contract {
namespace {

constexpr Call calls[] = {
    {"install", "register/install",
        R"({"stackId": 3, "metricsInstanceId": 1, "logsInstanceId": 2})", 200, 400},
    {"init", "register/init", R"({"apiToken": "adm-acme"})", 200, 200},
    {"save", "register/save",
        R"({"apiToken": "adm-acme", "metricsInstanceId": 1, "logsInstanceId": 2})", 409, 403},
    {"viewerToken", "register/viewer-token",
        R"({"apiToken": "adm-beta", "id": 11, "type": "prometheus"})", 200, 200},
    {"describe", "register/describe", R"({"apiToken": "adm-acme"})", 200, 200},
    {"createToken", "token/create", "", 200, 200},
    {"deleteToken", "token/delete", "", 200, 200},
    {"refreshToken", "token/refresh", "", 200, 200},
    {"validateToken", "token/validate", "", 200, 200},
    {"addCheck", "check/add", R"(@ping {"target": "new.example.org", "probes": [$p]})", 200, 400},
    {"updateCheck", "check/update", R"(@ping {"id": $c, "tenantId": $t, "probes": [$p]})", 200,
        400},
    {"updateChecks", "check/update/bulk",
        R"([{"id": $c, "tenantId": $t, "job": "ping", "target": "grafana.com", "frequency": 60000,
            "timeout": 3000, "probes": [$p], "settings": {"ping": {}}}])",
        200, 400},
    {"listChecks", "check/list?includeAlerts=true", "", 200, 200},
    {"queryCheck", "check/query?job=ping&target=grafana.com", "", 200, 404},
    {"getCheck", "check/$c", "", 200, 404},
    {"validateCheck", "check/validate", R"(@ping {"target": "newer.example.org", "probes": [$p]})",
        200, 400},
    {"runCheck", "check/adhoc", R"(@ping {"probes": [$p]})", 200, 400},
    {"describeKinds", "checks/info", "", 200, 200},
    {"listK6Channels", "channels/k6", "", 200, 200},
    {"getAlerts", "check/$c/alerts", "", 200, 404},
    {"putAlerts", "check/$c/alerts",
        R"({"alerts": [{"name": "ProbeFailedExecutionsTooHigh", "threshold": 1, "period": "5m"}]})",
        202, 404},
    {"deleteCheck", "check/delete/$x", "", 200, 404},
    {"addProbe", "probe/add", R"(@office {"name": "second"})", 200, 200},
    {"updateProbe", "probe/update", R"(@office {"id": $p, "tenantId": $t})", 200, 400},
    {"listProbes", "probe/list", "", 200, 200},
    {"getProbe", "probe/$p", "", 200, 404},
    {"deleteProbe", "probe/delete/$p", "", 409, 404},
    {"getTenant", "tenant", "", 200, 200},
    {"updateTenant", "tenant/update", R"({"id": $t})", 200, 400},
    {"deleteTenant", "tenant/delete/$t", "", 409, 404},
    {"getLimits", "tenant/limits", "", 200, 200},
    {"getSettings", "tenant/settings", "", 200, 200},
    {"updateSettings", "tenant/settings/update",
        R"({"thresholds": {"uptime": {"upperLimit": 99, "lowerLimit": 90.5},
            "reachability": {"upperLimit": 99, "lowerLimit": 90.5},
            "latency": {"upperLimit": 300, "lowerLimit": 200}}})",
        200, 200},
    {"getCostLabels", "tenant/cals", "", 200, 200},
    {"getLabelMode", "tenant/label-mode", "", 200, 200},
    {"putLabelMode", "tenant/label-mode", R"({"mode": 0})", 200, 200},
    {"describeApi", "openapi.json", "", 200, 200},
};

}  // namespace

std::span<const Call> all_calls()
{
    return calls;
}

const Call& call_of(const std::string& operation)
{
    const auto found = std::find_if(std::begin(calls), std::end(calls),
        [&](const Call& each) { return each.operation == operation; });
    REQUIRE_MESSAGE(found != std::end(calls), "no call of " << operation << " in calls.cpp");
    return *found;
}

Request request_of(const Call& call, const std::string& method, const Script& script)
{
    Request request{method, script.filled_in(call.path), {}, {}};
    if (!call.body.empty()) {
        request.body = script.body(call.body);
        request.headers.push_back("Content-Type: application/json");
    }
    return request;
}

}  // namespace sonde::contract
