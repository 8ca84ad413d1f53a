// Spec 04 §7.8, §8.2, §9.1, §1.10, §13.6: what was handed out or handed in as a secret stands
// nowhere in the clear.
#include "agent/base/text.h"
#include "tests/contract/script.h"

#include <doctest/doctest.h>

namespace sonde::contract {
namespace {

constexpr Step with_secrets[] = {
    {"create", "POST token/create", "$T1", "", 200,
        R"({"msg": "token created", "accessToken": "$T2", "token": "$T2"})"},
    {"refresh", "POST token/refresh", "$T2", "", 200,
        R"({"msg": "token refreshed", "accessToken": "$T3", "token": "$T3"})"},
    {"delete", "DELETE token/delete", "$T3", "", 200, R"({"msg": "token deleted"})"},
    {"revoked", "GET tenant", "$T3", "", 401,
        "invalid API authorization token | invalid API token"},
    {"init", "POST register/init", "", R"({"apiToken": "adm-beta"})", 200,
        R"({"accessToken": "$U2", "tenantInfo": {"id": "$u", "metricInstance": "@beta-prom",
            "logInstance": "@beta-logs"}, "instances": ["@beta-logs", "@beta-prom"]})"},
    {"save", "POST register/save", "$U2",
        R"({"apiToken": "adm-beta", "metricsInstanceId": 11, "logsInstanceId": 12})", 200, "{}"},
    {"viewer", "POST register/viewer-token", "",
        R"({"apiToken": "adm-beta", "id": 11, "type": "prometheus"})", 200,
        R"({"token": "$viewer"})"},
    {"wrong", "GET tenant", "presented-but-wrong", "", 401,
        "invalid API authorization token | invalid API token"},
};

/// In the settings of a check and in a remote.
constexpr std::string_view in_requests[] = {"bearer-of-the-check", "password-of-the-check",
    "secret-header-value", "client-key-of-the-check", "password-of-the-remote"};

constexpr std::string_view check_with_secrets =
    R"(@http {"target": "https://secrets.example.org/", "probes": [$p], "settings": {"http": {
        "bearerToken": "bearer-of-the-check", "headers": ["X-Key: secret-header-value"],
        "basicAuth": {"username": "u", "password": "password-of-the-check"},
        "tlsConfig": {"clientKey": "$key"}}}})";

constexpr std::string_view remote_with_secret =
    R"({"id": $t, "metricsRemote": {"name": "m", "url": "https://m.example.org/api/v1",
        "username": "1", "password": "password-of-the-remote"}})";

Reply post(const Script& script, const std::string& path, std::string_view body)
{
    return script.client().send({"POST", path,
        {bearer(script.text("T1")), "Content-Type: application/json"}, script.body(body)});
}

void is_nowhere(
    const std::vector<std::string>& secrets, const std::string& where, const std::string& content)
{
    CAPTURE(where);
    CHECK(!content.empty());
    for (const std::string& secret : secrets)
        CHECK_MESSAGE(content.find(secret) == std::string::npos, secret);
}

TEST_SUITE("contract/secrets")
{
    TEST_CASE("tokens and secrets are nowhere on disk, in the log, in the metrics")
    {
        tests::ApiProcess api;
        Script script{api};
        register_tenants(script);
        add_probe_and_checks(script);
        script.play(with_secrets);
        script.capture("key", text::base64("client-key-of-the-check"));
        const Reply added = post(script, "check/add", check_with_secrets);
        CAPTURE(added.body);
        CHECK(added.status == 200);
        CHECK(post(script, "tenant/update", remote_with_secret).status == 200);
        const Reply reset =
            post(script, "probe/update?reset-token", R"(@office {"id": $p, "tenantId": $t})");
        script.capture("P2", nlohmann::json::parse(reset.body).at("token"));

        std::vector<std::string> secrets{"pub-acme", "pub-beta", "adm-acme", "adm-beta",
            "view-beta", "presented-but-wrong", script.text("key")};
        for (const std::string_view each : in_requests)
            secrets.emplace_back(each);
        for (const char* const name : {"T1", "T2", "T3", "U1", "U2"}) {
            secrets.push_back(script.text(name));
            secrets.push_back(script.text(name).substr(27));  // behind the part for looking up
        }
        for (const char* const name : {"P", "P2"}) {
            secrets.push_back(script.text(name));
            secrets.push_back(*text::from_base64(script.text(name)));
        }
        is_nowhere(secrets, "the state folder", api.content_of_state());
        is_nowhere(secrets, "the metrics", api.metrics());
        is_nowhere(secrets, "the log", api.log());
        CHECK(api.stop() == 0);
        is_nowhere(secrets, "the state folder, after the end", api.content_of_state());
        is_nowhere(secrets, "the log, after the end", api.log());
    }
}

}  // namespace
}  // namespace sonde::contract
