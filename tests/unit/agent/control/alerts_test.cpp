// Alerts of a check (spec 04 §4.2).
#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;

namespace {

json alert(const char* name, const json& threshold, const json& period)
{
    return {{"name", name}, {"threshold", threshold}, {"period", period}};
}

json alerts(const json& one)
{
    return {{"alerts", json::array({one})}};
}

constexpr auto executions = "ProbeFailedExecutionsTooHigh";
constexpr auto tls = "TLSTargetCertificateCloseToExpiring";

struct Refused {
    json body;
    std::string_view err;
};

struct Kind {
    std::string_view target;
    json settings;
    std::vector<const char*> fitting;
};

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(ApiFixture, "alerts are replaced as a whole, and shown in three places")
    {
        install();
        const json added = post("check/add", check(add_probe()));
        CHECK(get("check/1/alerts") == json{{"alerts", json::array()}});
        json wanted = alert(executions, 0.30000000000000004, "5m");
        wanted["runbookUrl"] = "https://wiki.example.org/#x";
        wanted["created"] = "ignored";
        const json put_first = put("check/1/alerts",
            {{"alerts", {wanted, alert("PingRequestDurationTooHighAvg", 50, "1h")}}}, 202);
        REQUIRE(put_first["alerts"].size() == 2);
        const json first = put_first["alerts"][0];
        CHECK(first["name"] == executions);
        CHECK(first["threshold"] == 0.30000000000000004);
        CHECK(first["period"] == "5m");
        CHECK(first["runbookUrl"] == "https://wiki.example.org/#x");
        CHECK(first["status"] == "OK");
        CHECK(first["created"].is_number_integer());
        CHECK(first["created"] == first["modified"]);
        CHECK_FALSE(first.contains("error"));
        CHECK(put_first["alerts"][1]["threshold"] == 50);
        CHECK_FALSE(put_first["alerts"][1].contains("runbookUrl"));
        CHECK(get("check/1/alerts") == put_first);

        post("check/add", check(1, "second"));
        for (const char* yes : {"true", "1"}) {
            const json list = get(std::string{"check/list?includeAlerts="} + yes);
            CHECK(list[0]["alerts"] == put_first["alerts"]);
            CHECK(list[1]["alerts"] == json::array());
        }
        for (const char* no : {"", "=", "=false", "=0"})
            CHECK_FALSE(get(std::string{"check/list?includeAlerts"} + no)[0].contains("alerts"));
        for (const char* unclear : {"yes", "TRUE", "2"})
            get(std::string{"check/list?includeAlerts="} + unclear, 400);

        CHECK(get("check/1")["modified"] == added["modified"]);
        CHECK(put("check/1/alerts", alerts(wanted), 202)["alerts"].size() == 1);
        CHECK(put("check/1/alerts", {{"alerts", json::array()}}, 202)["alerts"].empty());
        put("check/1/alerts", alerts(wanted), 202);
        call(verb::delete_, "check/delete/1");
        get("check/1/alerts", 404);
        put("check/1/alerts", alerts(wanted), 404);
    }

    TEST_CASE_FIXTURE(ApiFixture, "alerts: each refusal")
    {
        json endless = alert(executions, 1, "5m");
        endless["runbookUrl"] = "ftp://wiki.example.org";
        const Refused table[] = {
            {json::object(), "alerts: is required"},
            {{{"alerts", nullptr}}, "alerts: is required"},
            {{{"alerts", "x"}}, "alerts: is not a list"},
            {alerts(7), "alerts[0]: is not an object"},
            {alerts(json::object()), "alerts[0].threshold: is required"},
            {alerts(alert(executions, "1", "5m")), "alerts[0].threshold: is not a number"},
            {alerts(alert(executions, 1, 5)), "alerts[0].period: is not a string"},
            {alerts(alert("Other", 1, "5m")), "alerts[0].name: unknown alert"},
            {alerts(alert("", 1, "5m")), "alerts[0].name: unknown alert"},
            {alerts(alert(executions, 0, "5m")), "alerts[0].threshold: must be above 0"},
            {alerts(alert(executions, -1, "5m")), "alerts[0].threshold: must be above 0"},
            {alerts(alert(executions, 1, "")), "alerts[0].period: must be one of"},
            {alerts(alert(executions, 1, "2m")), "alerts[0].period: must be one of"},
            {alerts(alert(executions, 1, "5m0s")), "alerts[0].period: must be one of"},
            {alerts(endless), "alerts[0].runbookUrl: must be an http or https URL"},
            {{{"alerts", {alert(executions, 1, "5m"), alert(executions, 2, "10m")}}},
                "alerts[1].name: is there twice"},
        };
        install();
        post("check/add", check(add_probe()));
        put("check/1/alerts", alerts(alert(executions, 1, "5m")), 202);
        for (const Refused& row : table) {
            const std::string err = put("check/1/alerts", row.body, 400)["err"];
            CAPTURE(err);
            CHECK(err.starts_with(row.err));
        }
        CHECK(get("check/1/alerts")["alerts"].size() == 1);  // nothing has changed
    }

    TEST_CASE_FIXTURE(ApiFixture, "a period is not shorter than the check's")
    {
        config.extended_limits = true;
        install();
        json slow = check(add_probe());
        slow["frequency"] = 600'000;
        post("check/add", slow);
        CHECK(put("check/1/alerts", alerts(alert(executions, 1, "5m")), 400)["err"] ==
              "alerts[0].period: must not be shorter than the check's frequency");
        put("check/1/alerts", alerts(alert(executions, 1, "10m")), 202);
    }

    TEST_CASE_FIXTURE(ApiFixture, "which alerts a kind of check may have")
    {
        const Kind table[] = {
            {"example.org", {{"ping", json::object()}},
                {executions, "PingRequestDurationTooHighAvg"}},
            {"https://example.org", {{"http", json::object()}},
                {executions, tls, "HTTPRequestDurationTooHighAvg"}},
            {"example.org", {{"dns", {{"server", "192.0.2.1"}}}},
                {executions, "DNSRequestDurationTooHighAvg"}},
            {"example.org:443", {{"tcp", json::object()}}, {executions, tls}},
        };
        install();
        const auto probe = add_probe();
        for (const Kind& row : table) {
            CAPTURE(row.settings.dump());
            json wanted = check(probe, row.settings.dump());
            wanted["job"] = row.settings.begin().key();
            wanted["target"] = row.target;
            wanted["settings"] = row.settings;
            const std::string path = "check/" + post("check/add", wanted)["id"].dump() + "/alerts";
            for (const char* name : {executions, tls, "HTTPRequestDurationTooHighAvg",
                     "PingRequestDurationTooHighAvg", "DNSRequestDurationTooHighAvg"}) {
                const bool fits = std::find(row.fitting.begin(), row.fitting.end(),
                                      std::string_view{name}) != row.fitting.end();
                const bool of_tls = name == std::string_view{tls};
                put(path, alerts(alert(name, 1, of_tls ? "" : "5m")), fits ? 202 : 400);
                if (fits)
                    put(path, alerts(alert(name, 1, of_tls ? "5m" : "")), 400);
            }
        }
    }
}
