#include "tests/contract/script.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

namespace sonde::contract {
namespace {

using nlohmann::json;

constexpr std::pair<const char*, const char*> parts[] = {
    {"acme-prom", R"({"id": 1, "orgSlug": "acme", "orgName": "Acme Inc", "clusterSlug": "eu-1",
        "clusterName": "Europe 1", "type": "prometheus", "name": "acme-prom",
        "url": "https://mimir.example.net", "description": "", "status": "active",
        "currentActiveSeries": 0, "currentDpm": 0, "currentUsage": 0})"},
    {"acme-logs", R"({"id": 2, "orgSlug": "acme", "orgName": "Acme Inc", "clusterSlug": "",
        "clusterName": "", "type": "logs", "name": "acme-logs", "url": "https://loki.example.net",
        "description": "", "status": "active", "currentUsage": 0})"},
    {"beta-prom", R"({"id": 11, "orgSlug": "beta", "orgName": "Beta", "clusterSlug": "",
        "clusterName": "", "type": "prometheus", "name": "beta-prom",
        "url": "https://mimir.beta.example.net", "description": "", "status": "active",
        "currentActiveSeries": 0, "currentDpm": 0, "currentUsage": 0})"},
    {"beta-logs", R"({"id": 12, "orgSlug": "beta", "orgName": "Beta", "clusterSlug": "",
        "clusterName": "", "type": "logs", "name": "beta-logs",
        "url": "https://loki.beta.example.net", "description": "", "status": "active",
        "currentUsage": 0})"},
    {"gamma-prom", R"({"id": 21, "orgSlug": "gamma", "orgName": "Gamma", "clusterSlug": "",
        "clusterName": "", "type": "prometheus", "name": "gamma-prom",
        "url": "https://mimir.gamma.example.net", "description": "", "status": "",
        "currentActiveSeries": 0, "currentDpm": 0, "currentUsage": 0})"},
    {"gamma-logs", R"({"id": 22, "orgSlug": "gamma", "orgName": "Gamma", "clusterSlug": "",
        "clusterName": "", "type": "logs", "name": "gamma-logs",
        "url": "https://loki.gamma.example.net", "description": "", "status": "",
        "currentUsage": 0})"},
    {"acme-metrics", R"({"name": "acme-prom", "url": "https://mimir.example.net/api/v1",
        "username": "1", "password": "<encrypted>"})"},
    {"acme-events", R"({"name": "acme-logs", "url": "https://loki.example.net/loki/api/v1",
        "username": "2", "password": "<encrypted>"})"},
    {"limits", R"({"maxChecks": 0, "maxScriptedChecks": 0, "maxMetricLabels": 22,
        "maxLogLabels": 15, "maxBrowserChecks": 0})"},
    {"capabilities", R"({"disableScriptedChecks": false, "disableBrowserChecks": false,
        "enableProtocolSecrets": false})"},
    {"ping", R"({"job": "ping", "target": "grafana.com", "frequency": 60000, "timeout": 3000,
        "enabled": true, "settings": {"ping": {}}})"},
    {"http", R"({"job": "http", "target": "https://grafana.com/", "frequency": 60000,
        "timeout": 3000, "enabled": true,
        "settings": {"http": {"method": "POST", "body": "x", "headers": ["A: b"],
            "validStatusCodes": [200, 204], "tlsConfig": {"caCert": "LS0t"}}}})"},
    {"dns", R"({"job": "dns", "target": "grafana.com", "frequency": 60000, "timeout": 3000,
        "enabled": true, "settings": {"dns": {"server": "8.8.8.8", "recordType": "A",
            "protocol": "UDP", "validRCodes": ["NOERROR"]}}})"},
    {"tcp", R"({"job": "tcp", "target": "grafana.com:443", "frequency": 60000, "timeout": 3000,
        "enabled": true, "settings": {"tcp": {"tls": true,
            "queryResponse": [{"send": "aGk=", "expect": "b2s="}]}}})"},
    {"office", R"({"name": "office", "latitude": 52.52, "longitude": 13.405, "region": "EMEA",
        "labels": [{"name": "site", "value": "berlin"}]})"},
};

std::string body_of(std::string_view brief, const Captured& captured)
{
    const std::string text = filled_in(brief, captured);
    if (!text.starts_with('@'))
        return text;
    const auto blank = text.find(' ');
    json body = part(text.substr(1, blank - 1));
    if (blank != std::string::npos)
        body.merge_patch(json::parse(text.substr(blank)));
    return body.dump();
}

/// The texts `@name` are replaced by the parts they name.
void put_parts(json& wanted)
{
    if (wanted.is_string() && wanted.get<std::string>().starts_with('@'))
        wanted = part(wanted.get<std::string>().substr(1));
    else if (wanted.is_structured())
        for (json& each : wanted)
            put_parts(each);
}

json wanted_of(const Step& step)
{
    if (step.answer.starts_with('{') || step.answer.starts_with('[') ||
        step.answer.starts_with('"')) {
        json wanted = json::parse(step.answer);
        put_parts(wanted);
        return wanted;
    }
    const std::string text{step.answer};
    const auto bar = text.find(" | ");
    REQUIRE(bar != std::string::npos);
    return {{"code", step.status}, {"msg", text.substr(0, bar)}, {"err", text.substr(bar + 3)}};
}

Request request_of(const Step& step, const Captured& captured)
{
    const auto blank = step.request.find(' ');
    Request request{std::string{step.request.substr(0, blank)},
        filled_in(step.request.substr(blank + 1), captured), {}, {}};
    const std::string token = filled_in(step.token, captured);
    if (token.starts_with('='))
        request.headers.push_back("Authorization: " + token.substr(1));
    else if (!token.empty())
        request.headers.push_back(bearer(token));
    if (!step.body.empty()) {
        request.body = body_of(step.body, captured);
        if (!step.type.empty())
            request.headers.push_back(fmt::format("Content-Type: {}", step.type));
    }
    return request;
}

constexpr Step registrations[] = {
    {"install", "POST register/install", "pub-acme",
        R"({"stackId": 3, "metricsInstanceId": 1, "logsInstanceId": 2})", 200,
        R"({"accessToken": "$T1:access", "tenantInfo":
            {"id": "$t:id", "metricInstance": "@acme-prom", "logInstance": "@acme-logs"}})"},
    {"install beta", "POST register/install", "pub-beta",
        R"({"stackId": 9, "metricsInstanceId": 11, "logsInstanceId": 12})", 200,
        R"({"accessToken": "$U1:access", "tenantInfo":
            {"id": "$u:id", "metricInstance": "@beta-prom", "logInstance": "@beta-logs"}})"},
};

}  // namespace

json part(const std::string& name)
{
    for (const auto& [known, text] : parts)
        if (name == known)
            return json::parse(text);
    FAIL("no part is called " << name);
    return {};
}

Reply Script::play(const Step& step)
{
    CAPTURE(step.name);
    CAPTURE(step.request);
    const Request request = request_of(step, captured_);
    Reply reply = client_.send(request);
    CAPTURE(reply.body);
    CHECK(reply.status == step.status);
    const json answer = json::parse(reply.body, nullptr, false);
    for (const std::string& each : differences(wanted_of(step), answer, captured_))
        FAIL_CHECK(each);
    std::string name{step.name};
    std::replace(name.begin(), name.end(), ' ', '_');
    captured_["step" + name] = answer;
    return reply;
}

std::string Script::body(std::string_view text) const
{
    return body_of(text, captured_);
}

void Script::play(std::span<const Step> steps)
{
    for (const Step& step : steps)
        play(step);
}

void register_tenants(Script& script)
{
    script.play(registrations);
}

void add_probe_and_checks(Script& script)
{
    const auto add = [&](const char* resource, json body, const char* id) {
        const Reply reply = script.client().send({"POST", resource,
            {bearer(script.text("T1")), "Content-Type: application/json"}, body.dump()});
        CAPTURE(reply.body);
        REQUIRE(reply.status == 200);
        const json answer = json::parse(reply.body);
        script.capture(id, answer.contains("probe") ? answer["probe"]["id"] : answer["id"]);
        return answer;
    };
    const json probe = add("probe/add", part("office"), "p");
    script.capture("P", probe["token"]);
    constexpr std::pair<const char*, const char*> checks[] = {
        {"ping", "c"}, {"http", "h"}, {"dns", "d"}, {"tcp", "x"}};
    for (const auto& [name, id] : checks) {
        json body = part(name);
        body["probes"] = {probe["probe"]["id"]};
        add("check/add", body, id);
    }
}

}  // namespace sonde::contract
