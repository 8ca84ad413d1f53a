// The tenant and what is kept beside it (spec 04 §3.18 to §3.20, §4.6).
#include "agent/control/http/accounting.h"
#include "config/reading.h"
#include "tests/unit/agent/control/api_fixture.h"

#include <cstdlib>

using namespace sonde;
using namespace sonde::tests;

namespace {

struct Refused {
    json body;
    std::string_view err;
};

/// How many series the agent has published of a check; `less` of them by chance of the target.
int golden_series(const std::string& name, std::string_view by_chance = "")
{
    const char* const source = std::getenv("SONDE_SOURCE");
    REQUIRE(source != nullptr);
    const auto text = config::read_whole(fmt::format("{}/tests/golden/{}.txt", source, name));
    REQUIRE(text.has_value());
    const auto at = text->find("\nseries ");
    REQUIRE(at != std::string::npos);
    const bool chance = !by_chance.empty() && text->find(by_chance) != std::string::npos;
    return std::stoi(text->substr(at + std::string_view{"\nseries "}.size())) - (chance ? 1 : 0);
}

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(ApiFixture, "the tenant: passwords are masked, a masked one is kept")
    {
        install();
        const json tenant = call(verb::get, "tenant");
        CHECK(tenant["id"] == 2);
        CHECK(tenant["status"] == 0);
        CHECK(tenant["metricsRemote"]["password"] == "<encrypted>");
        CHECK(tenant["metricsRemote"]["url"] == "https://mimir.example.net/api/prom");
        CHECK(last.body().find("pub-acme") == std::string::npos);
        json update = {{"id", 2}, {"status", {{"code", 1}, {"reason", "unpaid"}}}};
        const json updated = post("tenant/update", update);
        CHECK(updated["msg"] == "tenant updated");
        CHECK(updated["status"] == 1);
        CHECK(updated["tenant"]["reason"] == "unpaid");
        CHECK(updated["modified"] > tenant["modified"]);
        post("tenant/update", {{"id", 9}}, 400);
        post("tenant/update", {{"id", 2}, {"status", {{"code", 2}, {"reason", ""}}}}, 400);
        post("tenant/update", {{"id", 2}, {"metricsRemote", {{"url", "ftp://x"}}}}, 400);
        call(verb::delete_, "tenant/delete/9", "", 404);
        add_probe();
        CHECK(call(verb::delete_, "tenant/delete/2", "", 409)["err"] == "tenant not empty");
        call(verb::delete_, "probe/delete/1");
        CHECK(call(verb::delete_, "tenant/delete/2")["tenantId"] == 2);
        call(verb::get, "tenant", "", 401);
    }

    TEST_CASE_FIXTURE(ApiFixture, "tenant/update: each refusal, and both forms of a status")
    {
        install();
        const json before = get("tenant");
        json remote = before["metricsRemote"];
        const auto with = [&](const char* member, const json& value) {
            json changed = remote;
            changed[member] = value;
            return json{{"id", 2}, {"metricsRemote", changed}};
        };
        const Refused table[] = {
            {json::object(), "id: is required and must be the tenant of the token"},
            {{{"id", 0}}, "id: is required and must be the tenant of the token"},
            {{{"id", "2"}}, "id: is not an integer"},
            {{{"id", 2}, {"status", "x"}}, "status: is not an integer"},
            {{{"id", 2}, {"status", {{"code", 1}}}}, "status: code and reason are both required"},
            {{{"id", 2}, {"status", {{"reason", ""}}}},
                "status: code and reason are both required"},
            {{{"id", 2}, {"status", {{"code", 7}, {"reason", ""}}}}, "status.code: must be 0 or 1"},
            {{{"id", 2}, {"status", 2}}, "status.code: must be 0 or 1"},
            {{{"id", 2}, {"status", 1}, {"reason", 7}}, "reason: is not a string"},
            {{{"id", 2}, {"status", 1}, {"reason", std::string(1025, 'x')}},
                "status.reason: must be at most 1024 bytes"},
            {{{"id", 2}, {"metricsRemote", 7}}, "metricsRemote: is not an object"},
            {with("name", 7), "metricsRemote.name: is not a string"},
            {with("url", ""), "metricsRemote.url: must be an absolute http or https URL"},
            {with("url", "http://u:p@example.org"), "metricsRemote.url: must not hold a user name"},
            {with("url", "http://example.org/#x"), "metricsRemote.url: must not have a fragment"},
            {with("url", "http:///x"), "metricsRemote.url: has no host"},
            {with("username", std::string(256, 'x')),
                "metricsRemote.username: must be at most 255 bytes"},
        };
        for (const Refused& row : table)
            CHECK(post("tenant/update", row.body, 400)["err"] == row.err);
        CHECK(get("tenant") == before);

        json whole = before;  // as the Go client sends it
        whole["status"] = 1;
        whole["reason"] = "unpaid";
        const json updated = post("tenant/update", whole);
        CHECK(updated["status"] == 1);
        CHECK(updated["tenant"]["reason"] == "unpaid");
        CHECK(post("tenant/update", {{"id", 2}, {"status", 0}})["reason"] == "");
        post("tenant/update", with("url", "http://localhost:9009/api/v1"));
        post("tenant/update", with("password", ""));
        CHECK(post("tenant/update", with("password", "<redacted>"), 400)["err"] ==
              "metricsRemote.password: no stored password to keep");
        post("tenant/update", with("password", "new"));
        post("tenant/update", with("password", "<redacted>"));
    }

    TEST_CASE_FIXTURE(ApiFixture, "tenant/limits: counts without a limit, labels by the profile")
    {
        constexpr std::int64_t any = 2147483647;
        install();
        CHECK(get("tenant/limits") == json{{"MaxChecks", any}, {"MaxScriptedChecks", any},
                                          {"MaxBrowserChecks", any}, {"MaxMetricLabels", 22},
                                          {"MaxLogLabels", 15}, {"maxAllowedMetricLabels", 5},
                                          {"maxAllowedLogLabels", 5}});
        change_directory("logs_instance_id: 2}",
            "logs_instance_id: 2, limits: {profile: extended, max_checks: 8, max_browser_checks: 2,"
            " max_scripted_checks: 3, max_metric_labels: 30, max_log_labels: 20}}");
        install();
        CHECK(get("tenant/limits") == json{{"MaxChecks", 8}, {"MaxScriptedChecks", 3},
                                          {"MaxBrowserChecks", 2}, {"MaxMetricLabels", 30},
                                          {"MaxLogLabels", 20}, {"maxAllowedMetricLabels", 18},
                                          {"maxAllowedLogLabels", 10}});
    }

    TEST_CASE_FIXTURE(ApiFixture, "tenant/settings: defaults, and what was saved over them")
    {
        const auto limits = [](double upper, double lower) {
            return json{{"upperLimit", upper}, {"lowerLimit", lower}};
        };
        install();
        json wanted = {
            {"thresholds", {{"uptime", limits(99.3, 94.6)}, {"reachability", limits(99.3, 94.6)},
                               {"latency", limits(200, 150)}}},
            {"remote_validation_disabled", false}};
        CHECK(get("tenant/settings") == wanted);
        wanted["thresholds"]["uptime"] = limits(99.95, 1e-3);
        CHECK(post("tenant/settings/update", {{"thresholds", wanted["thresholds"]}}) ==
              json{{"msg", "settings updated"}});
        CHECK(get("tenant/settings") == wanted);
        post("tenant/settings/update", {{"thresholds", {{"latency", {{"upperLimit", 7}}}}}});
        wanted["thresholds"]["latency"]["upperLimit"] = 7;
        CHECK(get("tenant/settings") == wanted);
        const Refused table[] = {
            {json::object(), "thresholds: is required"},
            {{{"thresholds", {1}}}, "thresholds: is not an object"},
            {{{"thresholds", {{"uptime", 7}}}}, "thresholds.uptime: is not an object"},
            {{{"thresholds", {{"uptime", {{"lowerLimit", "7"}}}}}},
                "thresholds.uptime.lowerLimit: is not a number"},
        };
        for (const Refused& row : table)
            CHECK(post("tenant/settings/update", row.body, 400)["err"] == row.err);
        CHECK(get("tenant/settings") == wanted);
        CHECK(get("tenant/cals") == json{{"names", json::array()}});
    }

    TEST_CASE_FIXTURE(ApiFixture, "the label mode goes its ways, unless labels are in the way")
    {
        install();
        const json first = get("tenant/label-mode");
        CHECK(first["mode"] == 0);
        CHECK(first["systemLabels"].size() == 30);
        const auto go = [&](const json& mode, int status) {
            CAPTURE(mode.dump());
            return put("tenant/label-mode", {{"mode", mode}}, status);
        };
        const auto probe = add_probe();
        json labelled = check(probe);
        labelled["labels"] = {{{"name", "job"}, {"value", "x"}}, {{"name", "le"}, {"value", "x"}}};
        post("check/add", labelled);
        const json named = post("probe/add",
            {{"name", "n"}, {"labels", {{{"name", "instance"}, {"value", "x"}}}}})["probe"];
        CHECK(go(1, 409)["collidingLabels"] == json::array({"instance", "job", "le"}));
        go(0, 200);
        call(verb::delete_, "check/delete/1");
        call(verb::delete_, "probe/delete/" + named["id"].dump());

        for (const json& wrong : {json(2), json(3), json(-1)})
            go(wrong, 400);
        go("1", 400);
        go(nullptr, 400);
        CHECK(go(1, 200)["mode"] == 1);
        CHECK(get("tenant")["labelMode"] == 1);
        go(0, 400);
        go(1, 200);
        go(2, 200);
        go(0, 400);
        go(3, 400);
        CHECK(post("check/add", labelled, 400)["err"] == "labels[0].name: reserved");
        go(1, 200);
        CHECK(get("tenant/label-mode")["mode"] == 1);
    }

    TEST_CASE_FIXTURE(ApiFixture, "what checks cost, of the kinds that are taken")
    {
        install();
        const json classes = get("checks/info")["AccountingClasses"];
        CHECK(classes.size() == 12);
        CHECK(
            classes["tcp_ssl_basic"] == json{{"CheckType", 3}, {"CheckClass", 0}, {"Series", 28}});
        config.enabled_kinds = {"ping"};
        CHECK(get("checks/info")["AccountingClasses"].size() == 2);
        CHECK(get("channels/k6") == json{{"channels", json::array()}});
    }

    TEST_CASE("what checks cost is what the agent publishes")
    {
        constexpr std::string_view chance = "probe_http_last_modified_timestamp_seconds";
        const auto series = [](std::string_view name) {
            for (const auto& each : control::accounting_classes())
                if (each.name == name)
                    return each.series;
            return 0;
        };
        for (const char* kind : {"dns", "http", "ping", "tcp"}) {
            CAPTURE(kind);
            const std::string name = kind;
            CHECK(series(name) == golden_series(name + "-full", chance));
            CHECK(series(name + "_basic") == golden_series(name + "-basic", chance));
        }
        CHECK(series("http_ssl") == golden_series("https-full", chance));
        CHECK(series("http_ssl_basic") == golden_series("https-basic", chance));
        // Over TLS a tcp check has four more (checkers/tcp/metrics.h).
        CHECK(series("tcp_ssl") == golden_series("tcp-full") + 4);
        CHECK(series("tcp_ssl_basic") == golden_series("tcp-basic") + 4);
    }
}
