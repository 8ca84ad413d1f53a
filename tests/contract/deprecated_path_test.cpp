// Spec 04 §11.2: registration by an admin's token.
#include "tests/contract/script.h"

#include <doctest/doctest.h>

namespace sonde::contract {
namespace {

constexpr Step steps[] = {
    {"D1", "POST register/describe", "", R"({"apiToken":"adm-beta"})", 200,
        R"({"orgID": 1001, "tenants": []})"},
    {"D2", "POST register/init", "", R"({"apiToken":"adm-beta"})", 200,
        R"({"accessToken": "$U1:access", "tenantInfo": {"id": "$u:id"},
            "instances": ["@beta-logs", "@beta-prom"]})"},
    {"D2 tenant", "GET tenant", "$U1", "", 200,
        R"({"id": "$u", "orgId": 1001, "metricsRemote": null, "eventsRemote": null, "stackId": 0,
            "status": 0, "reason": "", "limits": "@limits", "costAttributionLabels": [],
            "labelMode": 0, "created": "$u1:time", "modified": "$u1", "secretStore": null})"},
    {"D3", "POST register/init", "", R"({"apiToken":"adm-beta"})", 200,
        R"({"accessToken": "$U2:not U1", "tenantInfo": {"id": "$u"},
            "instances": ["@beta-logs", "@beta-prom"]})"},
    {"D3 probe", "POST probe/add", "$U2", "@office", 200,
        R"({"probe": {"id": "$q:id", "tenantId": "$u", "name": "office", "latitude": 52.52,
            "longitude": 13.405, "labels": [{"name": "site", "value": "berlin"}], "region": "EMEA",
            "public": false, "online": false, "onlineChange": "$q1:time", "version": "",
            "commit": "", "buildstamp": "", "deprecated": false, "created": "$q1",
            "modified": "$q1", "capabilities": "@capabilities"}, "token": "$Q:probe-token"})"},
    {"D3 adhoc", "POST check/adhoc", "$U2", R"(@ping {"probes": [$q]})", 409,
        "… | tenant: remotes not set"},
    {"D4", "POST register/save", "$U2",
        R"({"apiToken":"adm-beta","metricsInstanceId":11,"logsInstanceId":12})", 200, "{}"},
    {"D4 tenant", "GET tenant", "$U2", "", 200,
        R"({"id": "$u", "orgId": 1001, "metricsRemote": {"name": "beta-prom",
            "url": "https://mimir.beta.example.net/api/prom", "username": "11",
            "password": "<encrypted>"}, "eventsRemote": {"name": "beta-logs",
            "url": "https://loki.beta.example.net/loki/api/v1", "username": "12",
            "password": "<encrypted>"}, "stackId": 9, "status": 0, "reason": "",
            "limits": "@limits", "costAttributionLabels": [], "labelMode": 0, "created": "$u1",
            "modified": "$u2:after u1", "secretStore": null})"},
    {"D5", "POST register/init", "", R"({"apiToken":"adm-beta"})", 200,
        R"({"accessToken": "$U3:access", "tenantInfo": {"id": "$u",
            "metricInstance": "@beta-prom", "logInstance": "@beta-logs"},
            "instances": ["@beta-logs", "@beta-prom"]})"},
    {"D6", "POST register/install", "pub-beta",
        R"({"stackId":9,"metricsInstanceId":11,"logsInstanceId":12})", 200,
        R"({"accessToken": "$U4:access", "tenantInfo":
            {"id": "$u", "metricInstance": "@beta-prom", "logInstance": "@beta-logs"}})"},
    {"D7", "POST register/viewer-token", "",
        R"({"apiToken":"adm-beta","id":11,"type":"prometheus"})", 200, R"({"token": "view-beta"})"},
    {"D7 none", "POST register/viewer-token", "",
        R"({"apiToken":"adm-beta","id":12,"type":"logs"})", 501, "… | …"},
    {"D8", "POST register/describe", "", R"({"apiToken":"adm-beta"})", 200,
        R"({"orgID": 1001, "tenants": [
            {"id": "$u", "metricInstance": "@beta-prom", "logInstance": "@beta-logs"}]})"},
};

/// `init` of an organization that has two tenants: install makes the second.
constexpr Step two_tenants[] = {
    {"init", "POST register/init", "", R"({"apiToken":"adm-gamma"})", 200,
        R"({"accessToken": "$G1:access", "tenantInfo": {"id": "$g:id"}, "instances": ["@gamma-logs", "@gamma-prom"]})"},
    {"install", "POST register/install", "pub-gamma",
        R"({"stackId":12,"metricsInstanceId":21,"logsInstanceId":22})", 200,
        R"({"accessToken": "$G2:access", "tenantInfo": {"id": "$g2:after g",
            "metricInstance": "@gamma-prom", "logInstance": "@gamma-logs"}})"},
    {"init again", "POST register/init", "", R"({"apiToken":"adm-gamma"})", 409,
        "too many tenants | …"},
    {"describe", "POST register/describe", "", R"({"apiToken":"adm-gamma"})", 200,
        R"({"orgID": 1002, "tenants": [{"id": "$g"},
            {"id": "$g2", "metricInstance": "@gamma-prom", "logInstance": "@gamma-logs"}]})"},
    {"save", "POST register/save", "$G1",
        R"({"apiToken":"adm-gamma","metricsInstanceId":21,"logsInstanceId":22})", 409,
        "… | no publisher token configured"},
};

TEST_SUITE("contract/scenarios")
{
    TEST_CASE("the deprecated path")
    {
        const tests::ApiProcess api;
        Script script{api};
        script.play(steps);
        script.play(two_tenants);
    }
}

}  // namespace
}  // namespace sonde::contract
