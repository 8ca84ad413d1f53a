#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(ApiFixture, "checks: add, update, list, delete, and each refusal")
    {
        install();
        const auto probe = add_probe();
        const json added = post("check/add", check(probe));
        CHECK(added["id"] == 1);
        CHECK(added["tenantId"] == 2);
        CHECK(added["alertSensitivity"] == "none");
        CHECK(added["basicMetricsOnly"] == false);
        CHECK(added["created"] == added["modified"]);
        const json conflict = post("check/add", check(probe), 409);
        CHECK(conflict["msg"] == "Failed to add check to database");
        CHECK(conflict["err"] == "target/job combination already exists");

        const auto refused = [&](const char* pointer, const json& value, const std::string& err) {
            json bad = check(probe);
            bad["job"] = "other";
            bad[json::json_pointer{pointer}] = value;
            const json answer = post("check/add", bad, 400);
            CAPTURE(answer.dump());
            CHECK(answer["err"].get<std::string>().starts_with(err));
        };
        refused("/probes", json::array(), "probes: at least one");
        refused("/probes", {0}, "probes[0]");
        refused("/probes", {99}, "probes: 99 not available");
        refused("/target", "", "target:");
        refused("/target", "localhost", "target:");
        refused("/job", " ", "job:");
        refused("/settings", json::object(), "settings: exactly one");
        refused("/settings/tcp", json::object(), "settings: exactly one");
        refused(
            "/settings", {{"traceroute", json::object()}}, "settings.traceroute: not supported");
        refused("/frequency", 999, "frequency: must be between 1000 and 120000");
        refused("/timeout", 10001, "timeout: must be between");
        refused("/timeout", 999, "timeout: must be between");
        refused("/offset", -1, "offset:");
        refused("/alertSensitivity", "loud", "alertSensitivity: unknown value");
        refused("/labels/0/name", "a-b", "labels[0].name");
        refused("/labels/0/name", "__a", "labels[0].name: must not begin with __");
        refused("/labels/0/value", std::string(33, 'x'), "labels[0].value");
        refused("/settings/ping/payloadSize", 65500, "settings.ping.payloadSize");
        refused("/settings/ping/sourceIpAddress", "here", "settings.ping.sourceIpAddress");
        refused("/settings/ping/ipVersion", "V5", "settings.ping.ipVersion");
        refused("/frequency", "10000", "frequency:");
        refused("/frequency", 10000.5, "frequency:");
        refused("/settings", {{"http", {{"oauth2Config", {{"clientId", "x"}}}}}},
            "settings.http.oauth2Config: not supported");
        refused("/settings", {{"http", {{"proxyURL", "socks5://p.example.net"}}}},
            "settings.http.proxyURL: ");
        refused("/settings", {{"http", {{"failIfBodyMatchesRegexp", {"("}}}}},
            "settings.http.failIfBodyMatchesRegexp[0]");
        refused("/settings", {{"dns", json::object()}}, "settings.dns.server");

        json update = added;
        update["enabled"] = false;
        const json updated = post("check/update", update);
        CHECK(updated["enabled"] == false);
        CHECK(updated["modified"] > added["modified"]);
        CHECK(updated["created"] == added["created"]);
        update["tenantId"] = 3;
        post("check/update", update, 400);
        update["tenantId"] = 2;
        update["id"] = 77;
        post("check/update", update, 404);
        update.erase("id");
        post("check/update", update, 400);

        json second = check(probe);
        second["job"] = "second";
        second["folderUid"] = "f1";
        CHECK(post("check/add", second)["folderUid"] == "f1");
        second["id"] = 2;
        second["tenantId"] = 2;
        second["job"] = "shop";
        CHECK(post("check/update", second, 409)["msg"] == "cannot update database");
        CHECK(call(verb::get, "check/list").size() == 2);
        CHECK(call(verb::get, "check/1")["job"] == "shop");
        CHECK(call(verb::delete_, "check/delete/1")["checkId"] == 1);
        CHECK(call(verb::delete_, "check/delete/1", "", 404)["msg"] == "check 1 not found");
        call(verb::get, "check/1", "", 404);
    }

    TEST_CASE_FIXTURE(ApiFixture, "a check is found by its job and target")
    {
        install();
        json wanted = check(add_probe(), "a & b = c+d/é");
        wanted["target"] = "https://example.org/?x=1&y=+";
        wanted["settings"] = {{"http", json::object()}};
        const json added = post("check/add", wanted);
        const std::string target = "&target=https%3A%2F%2Fexample.org%2F%3Fx%3D1%26y%3D%2B";
        CHECK(get("check/query?job=a+%26+b%20=%20c%2Bd/%C3%A9" + target) == added);
        CHECK(get("check/query?job=a" + target, 404)["err"] == "not found");
        for (const char* query : {"", "?job=x", "?target=x", "?job=&target=x", "?job=x&target"})
            get(std::string{"check/query"} + query, 400);
    }

    TEST_CASE_FIXTURE(ApiFixture, "validate says what add would say, and adds nothing")
    {
        change_directory("logs_instance_id: 2}", "logs_instance_id: 2, limits: {max_checks: 1}}");
        install();
        const json good = check(add_probe());
        CHECK(post("check/validate", good) == json{{"msg", "check is valid"}});
        CHECK(get("check/list") == json::array());
        json bad = good;
        bad["probes"] = {99};
        json worse = good;
        worse["job"] = "";
        json wrong = good;
        wrong["job"] = 7;
        for (const json& each : {bad, worse, wrong}) {
            const json said = post("check/validate", each, 400);
            CHECK(post("check/add", each, 400) == said);
        }
        post("check/add", good);
        const json full = post("check/validate", check(1, "other"), 409);
        CHECK(full["err"] == "checks: limit of 1 reached");
        CHECK(post("check/add", check(1, "other"), 409) == full);
        change_directory("max_checks: 1", "max_checks: 0");
        install();
        CHECK(post("check/validate", good, 409)["err"] == "target/job combination already exists");
        post("check/add", check(1, "other"));
    }

    TEST_CASE_FIXTURE(ApiFixture, "an update: what is wrong with its form comes first")
    {
        install();
        const json added = post("check/add", check(add_probe()));
        const auto refused = [&](const json& patch, int status, std::string_view err) {
            json wanted = added;
            wanted.merge_patch(patch);
            CAPTURE(patch.dump());
            CHECK(post("check/update", wanted, status)["err"] == err);
        };
        refused({{"id", 77}, {"job", 7}}, 400, "job: is not a string");
        refused({{"id", nullptr}, {"job", ""}}, 400, "id: is required");
        refused({{"id", 0}}, 400, "id: is required");
        refused({{"tenantId", 0}}, 400, "tenantId: is required");
        refused({{"tenantId", 77}, {"id", 77}}, 400, "tenantId: is not the tenant of the token");
        refused({{"id", 77}, {"job", ""}}, 404, "not found");
        refused({{"job", ""}, {"probes", {99}}}, 400, "job: is required");
        refused({{"folderUid", 7}}, 400, "folderUid: is not a string");
        refused(
            {{"folderUid", std::string(129, 'x')}}, 400, "folderUid: must be at most 128 bytes");
    }

    TEST_CASE_FIXTURE(ApiFixture, "of two spellings the one that is not stored counts")
    {
        install();
        json wanted = check(add_probe());
        wanted["settings"] = {{"dns", {{"server", "192.0.2.1"}, {"validRCodes", {"NOERROR"}}}}};
        json added = post("check/add", wanted);
        CHECK(added["settings"]["dns"]["validRCode"] == json::array({"NOERROR"}));
        added["settings"]["dns"]["validRCode"] = {"NXDOMAIN"};
        added = post("check/update", added);
        CHECK(added["settings"]["dns"]["validRCodes"] == json::array({"NXDOMAIN"}));
        json both = added;
        both["settings"]["dns"]["validRCode"] = {"REFUSED"};
        both["settings"]["dns"]["validRCodes"] = {"SERVFAIL"};
        post("check/update", both, 400);
        both = added;
        both["id"] = 77;
        post("check/update", both, 404);
    }

    TEST_CASE_FIXTURE(ApiFixture, "labels: how many, by the profile of the stack or the server")
    {
        const auto with_labels = [&](int count, const std::string& name = "name") {
            json wanted = check(1, name + std::to_string(count));
            wanted["labels"] = json::array();
            for (int i = 0; i < count; ++i)
                wanted["labels"].push_back({{"name", name + std::to_string(i)}, {"value", "x"}});
            return wanted;
        };
        install();
        add_probe();
        post("check/add", with_labels(5));
        post("check/add", with_labels(6), 400);
        config.extended_limits = true;
        post("check/add", with_labels(10));
        post("check/add", with_labels(11), 400);
        post("check/add", with_labels(1, std::string(127, 'x')));
        change_directory("logs_instance_id: 2}",
            "logs_instance_id: 2, limits: {profile: contract, max_metric_labels: 40}}");
        install();
        post("check/add", with_labels(6), 400);  // the stack knows better than the server
        change_directory("profile: contract, ", "");
        post("check/add", with_labels(28));
        post("check/add", with_labels(29), 400);
    }
}
