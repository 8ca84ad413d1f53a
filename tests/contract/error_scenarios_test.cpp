// Spec 04 §11.3: each a request against the state after step 16 of §11.1. The texts are those of
// §1.8 and §6 where these fix them.
#include "tests/contract/script.h"

#include <doctest/doctest.h>

namespace sonde::contract {
namespace {

constexpr std::string_view no_token = "authorization token required | missing API token";
constexpr std::string_view bad_token = "invalid API authorization token | invalid API token";
constexpr std::string_view bad_admin = "invalid admin token | invalid API token";

constexpr Step of_access[] = {
    {"E1", "GET check/list", "", "", 401, no_token},
    {"E2", "GET check/list", "nonsense", "", 401, bad_token},
    {"E3", "GET check/list", "=Basic YTpi", "", 401, no_token},
    {"E4", "GET nothing", "$T1", "", 404, "… | not found"},
    {"E4 anybody", "GET nothing", "", "", 404, "… | not found"},
    {"E5", "GET check/add", "$T1", "", 405, "… | …"},
    {"E6", "POST check/add", "$T1", "{}", 415, "… | …", "text/plain"},
    {"E6 charset", "POST check/add", "$T1", "{}", 415, "… | …", "application/json; charset=latin1"},
    {"E7", "POST check/add", "$T1", "{", 400, "Invalid request body | …"},
    {"E9", "POST check/add", "$T1", "[]", 400, "Invalid request body | …"},
    {"E10", "POST register/install", "wrong",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":2})", 401, bad_token},
    {"E11", "POST register/install", "pub-acme",
        R"({"stackId":9,"metricsInstanceId":11,"logsInstanceId":12})", 400,
        "… | stackId: unknown stack"},
    {"E11 none", "POST register/install", "pub-acme",
        R"({"stackId":77,"metricsInstanceId":11,"logsInstanceId":12})", 400,
        "… | stackId: unknown stack"},
    {"E12", "POST register/install", "pub-acme",
        R"({"stackId":3,"metricsInstanceId":1,"logsInstanceId":1})", 400, "… | logsInstanceId: …"},
    {"E13", "POST register/install", "pub-acme", R"({"stackId":3,"metricsInstanceId":1})", 400,
        "… | logsInstanceId: …"},
    {"E14", "POST register/init", "", R"({"apiToken":"x"})", 401, bad_admin},
    {"E15", "POST register/save", "$T1",
        R"({"apiToken":"adm-beta","metricsInstanceId":11,"logsInstanceId":12})", 403, "… | …"},
    {"E16", "POST register/save", "$T1",
        R"({"apiToken":"adm-acme","metricsInstanceId":2,"logsInstanceId":1})", 400,
        "… | metricsInstanceId: …"},
    {"E17", "POST register/viewer-token", "", R"({"apiToken":"adm-acme","id":99,"type":"logs"})",
        404, "… | not found"},
    {"E17 type", "POST register/viewer-token", "",
        R"({"apiToken":"adm-acme","id":2,"type":"traces"})", 400, "… | type: …"},
    {"E18", "POST register/describe", "", R"({"apiToken":"pub-acme"})", 401, bad_admin},
    {"E64", "POST token/create", "$T1", "", 200,
        R"({"msg": "token created", "accessToken": "$T9", "token": "$T9"})"},
    {"E64 delete", "DELETE token/delete", "$T9", "", 200, R"({"msg": "token deleted"})"},
    {"E64 used", "POST token/validate", "$T9", "", 401, bad_token},
};

/// All but the last column: `err` begins so.
struct Refused {
    std::string_view name;
    std::string_view body;
    std::string_view msg;
    std::string_view err;
};

constexpr std::string_view check = "Invalid incoming check";
constexpr std::string_view syntax = "Invalid request body";

constexpr Refused of_checks[] = {
    {"E19", R"(@ping {"settings": {"http": {}}})", check, "settings: exactly one kind is required"},
    {"E20", R"(@ping {"settings": {"ping": null}})", check,
        "settings: exactly one kind is required"},
    {"E21", R"(@ping {"frequency": 999})", check,
        "frequency: must be between 1000 and 120000 milliseconds"},
    {"E22", R"(@ping {"frequency": 120001})", check,
        "frequency: must be between 1000 and 120000 milliseconds"},
    {"E23", R"(@ping {"timeout": 999})", check,
        "timeout: must be between 1000 and 10000 milliseconds"},
    {"E24", R"(@ping {"timeout": 10001})", check,
        "timeout: must be between 1000 and 10000 milliseconds"},
    {"E25", R"(@ping {"frequency": 2000})", check, "timeout: must not exceed frequency"},
    {"E26", R"(@ping {"probes": []})", check, "probes: at least one probe is required"},
    {"E27", R"(@ping {"probes": [999999]})", "Invalid probes used for check",
        "probes: 999999 not available"},
    {"E28", R"(@ping {"job": ""})", check, "job: …"},
    {"E29", R"(@ping {"target": null})", check, "target: …"},
    {"E30", R"(@ping {"target": "localhost"})", check, "target: …"},
    {"E31", R"(@http {"target": "ftp://example.org/"})", check, "target: …"},
    {"E32", R"(@http {"target": "https://u:p@example.org/"})", check, "target: …"},
    {"E33", R"(@tcp {"target": "grafana.com"})", check, "target: …"},
    {"E34", R"(@tcp {"target": "grafana.com:0"})", check, "target: …"},
    {"E35", R"(@dns {"target": "org"})", check, "target: …"},
    {"E36", R"(@ping {"labels": [{"name": "a", "value": "1"}, {"name": "b", "value": "1"},
        {"name": "c", "value": "1"}, {"name": "d", "value": "1"}, {"name": "e", "value": "1"},
        {"name": "f", "value": "1"}]})",
        check, "labels: …"},
    {"E37", R"(@ping {"labels": [{"name": "abcdefghijklmnopqrstuvwxyz0123456", "value": "1"}]})",
        check, "labels[0].name: …"},
    {"E38", R"(@ping {"labels": [{"name": "a", "value": ""}]})", check, "labels[0].value: …"},
    {"E39", R"(@ping {"labels": [{"name": "foo-bar", "value": "1"}]})", check, "labels[0].name: …"},
    {"E40", R"(@ping {"labels": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]})",
        check, "labels[1].name: …"},
    {"E41", R"(@ping {"alertSensitivity": "extreme"})", check, "alertSensitivity: unknown value"},
    {"E42", R"(@http {"settings": {"http": {"method": "FETCH"}}})", syntax,
        "settings.http.method: …"},
    {"E43", R"(@http {"settings": {"http": {"failIfBodyMatchesRegexp": ["*bad"]}}})", check,
        "settings.http.failIfBodyMatchesRegexp[0]: …"},
    {"E44", R"(@tcp {"settings": {"tcp": {"queryResponse": [{"send": "???"}]}}})", syntax,
        "settings.tcp.queryResponse[0].send: …"},
    {"E45", R"(@ping {"frequency": "60000"})", syntax, "frequency: …"},
    {"E46", R"({"frequency":99999999999999999999})", syntax, "frequency: …"},
    {"E49", R"(@ping {})", "Failed to add check to database",
        "target/job combination already exists"},
};

constexpr Step of_objects[] = {
    {"E50", "POST check/update", "$T1", R"(@ping {"tenantId": $t, "probes": [$p]})", 400,
        "… | id: …"},
    {"E51", "POST check/update", "$T1", R"(@ping {"id": $c, "tenantId": 1000000, "probes": [$p]})",
        400, "… | tenantId: …"},
    {"E51 other", "POST check/update", "$T1", R"(@ping {"id": $c, "tenantId": $u, "probes": [$p]})",
        400, "… | tenantId: …"},
    {"E52", "POST check/update", "$T1", R"(@ping {"id": 999999, "tenantId": $t, "probes": [$p]})",
        404, "check 999999 not found | not found"},
    {"E53", "DELETE check/delete/$c", "$U1", "", 404, "check $c not found | not found"},
    {"E53 there", "GET check/$c", "$T1", "", 200, R"("$check")"},
    {"E54", "DELETE check/delete/$x", "$T1", "", 200,
        R"({"msg": "check deleted", "checkId": "$x"})"},
    {"E54 again", "DELETE check/delete/$x", "$T1", "", 404, "check $x not found | not found"},
    {"E55", "DELETE check/delete/abc", "$T1", "", 400, "… | …"},
    {"E56", "POST probe/add", "$T1", R"(@office {"name": ""})", 400,
        "Invalid incoming probe | name: …"},
    {"E57", "POST probe/add", "$T1", R"(@office {"name": "other", "latitude": 91})", 400,
        "Invalid incoming probe | latitude: …"},
    {"E58", "POST probe/add", "$T1", "@office", 409, "… | name: already in use"},
    {"E59", "DELETE probe/delete/$p", "$T1", "", 409,
        "probe $p is in use by 3 checks | probe in use"},
    {"E60", "DELETE tenant/delete/$t", "$T1", "", 409, "… | tenant not empty"},
    {"E61", "DELETE tenant/delete/$u", "$T1", "", 404, "… | not found"},
    {"E62", "POST tenant/update", "$T1", R"({"id": $t, "status": {"code": 7, "reason": "x"}})", 400,
        "… | status.code: …"},
    {"E63", "POST tenant/update", "$T1", R"({"id": $t, "status": {"code": 1}})", 400,
        "… | status: …"},
    {"E65", "POST probe/update?reset-token=false", "$T1",
        R"({"id": $p, "tenantId": $t, "name": "renamed"})", 400, "… | …"},
    {"E65 same", "GET probe/$p", "$T1", "", 200,
        R"({"id": "$p", "tenantId": "$t", "name": "office", "latitude": 52.52,
            "longitude": 13.405, "labels": [{"name": "site", "value": "berlin"}], "region": "EMEA",
            "public": false, "online": false, "onlineChange": "$p1:time", "version": "",
            "commit": "", "buildstamp": "", "deprecated": false, "created": "$p1",
            "modified": "$p1", "capabilities": "@capabilities"})"},
};

struct Scene {
    tests::ApiProcess api;
    Script script{api};

    Scene()
    {
        register_tenants(script);
        add_probe_and_checks(script);
    }

    /// The body with the tenant's probe, where it has none of its own.
    std::string with_probe(std::string_view body) const
    {
        if (!body.starts_with('@') || body.find("\"probes\"") != std::string_view::npos)
            return std::string{body};
        const auto brace = body.find('{');
        const std::string rest{body.substr(brace + 1)};
        return std::string{body.substr(0, brace)} + R"({"probes": [$p])" +
               (rest.starts_with('}') ? "" : ", ") + rest;
    }
};

TEST_SUITE("contract/errors")
{
    TEST_CASE_FIXTURE(Scene, "who calls, and with what")
    {
        script.play(of_access);
        CHECK(script.client().send({"GET", "check/add", {}, {}}).headers["allow"] == "POST");
    }

    TEST_CASE_FIXTURE(Scene, "a body may have 1 MiB")
    {
        const std::string open = R"({"foo":")";
        for (const std::size_t size : {1'048'576U, 1'048'577U}) {
            const std::string body = open + std::string(size - open.size() - 2, 'x') + "\"}";
            const Reply reply = script.client().send({"POST", "check/add",
                {bearer(script.text("T1")), "Content-Type: application/json"}, body});
            CAPTURE(reply.body);
            CHECK(reply.status == (size > 1'048'576U ? 413 : 400));
            if (size > 1'048'576U)
                CHECK(
                    reply.body ==
                    R"({"code":413,"msg":"request body too large","err":"request body too large"})");
        }
    }

    TEST_CASE_FIXTURE(Scene, "checks that are refused, with nothing stored")
    {
        const std::string before =
            script.client().send({"GET", "check/list", {bearer(script.text("T1"))}, {}}).body;
        for (const Refused& each : of_checks) {
            const std::string body = with_probe(each.body);
            const std::string answer = std::string{each.msg} + " | " + std::string{each.err};
            const int status = each.name == "E49" ? 409 : 400;
            script.play({each.name, "POST check/add", "$T1", body, status, answer});
            script.play({each.name, "POST check/validate", "$T1", body, status, answer});
        }
        CHECK(script.client().send({"GET", "check/list", {bearer(script.text("T1"))}, {}}).body ==
              before);
    }

    TEST_CASE_FIXTURE(Scene, "unknown members and null are no errors")
    {
        constexpr Step steps[] = {
            {"E47", "POST check/add", "$T1",
                R"({"job":"ping","target":"e47.example.org","frequency":60000,"timeout":3000,"enabled":true,"probes":[$p],"settings":{"ping":{}},"foo":1,"alerts":[]})",
                200,
                R"({"id": "$id47:id", "tenantId": "$t", "frequency": 60000, "offset": 0,
                    "timeout": 3000, "enabled": true, "labels": [], "settings": {"ping": {
                    "ipVersion": "Any", "dontFragment": false, "packetCount": 0}},
                    "probes": ["$p"], "target": "e47.example.org", "job": "ping",
                    "basicMetricsOnly": false, "alertSensitivity": "none", "channels": null,
                    "created": "$time47:time", "modified": "$time47"})"},
            {"E48", "POST check/add", "$T1",
                R"({"job":"ping","target":"e48.example.org","frequency":60000,"timeout":3000,"enabled":true,"probes":[$p],"settings":{"ping":{}},"labels":null,"channels":null})",
                200,
                R"({"id": "$id48:id", "tenantId": "$t", "frequency": 60000, "offset": 0,
                    "timeout": 3000, "enabled": true, "labels": [], "settings": {"ping": {
                    "ipVersion": "Any", "dontFragment": false, "packetCount": 0}},
                    "probes": ["$p"], "target": "e48.example.org", "job": "ping",
                    "basicMetricsOnly": false, "alertSensitivity": "none", "channels": null,
                    "created": "$time48:time", "modified": "$time48"})"},
        };
        script.play(steps);
    }

    TEST_CASE_FIXTURE(Scene, "objects that are not there, not one's own, or in use")
    {
        script.play(of_objects);
    }
}

}  // namespace
}  // namespace sonde::contract
