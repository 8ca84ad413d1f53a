#include "tests/unit/agent/control/api_fixture.h"

using namespace sonde;
using namespace sonde::tests;

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(ApiFixture, "probes: add, update with and without a new token, list, delete")
    {
        install();
        const json added = post("probe/add",
            {{"name", "mine"}, {"latitude", 41.40338}, {"longitude", 2.17403}, {"provider", "x"}});
        const json& probe = added["probe"];
        CHECK(added["token"].get<std::string>().size() == 64);
        CHECK(probe["latitude"] == 41.40338);
        CHECK(probe["created"] == probe["modified"]);
        CHECK(probe["onlineChange"] == probe["created"]);
        CHECK(probe["online"] == false);
        CHECK(probe["labels"] == json::array());
        CHECK(probe["capabilities"].is_object());

        json changed = probe;
        changed["region"] = "EMEA";
        const json updated = post("probe/update", changed);
        CHECK(updated["probe"]["region"] == "EMEA");
        CHECK(updated["probe"]["modified"] > probe["modified"]);
        CHECK_FALSE(updated.contains("token"));
        CHECK(post("probe/update?reset-token", changed)["token"] != added["token"]);
        CHECK(post("probe/update?reset-token=true", changed).contains("token"));
        post("probe/update?reset-token=false", changed, 400);

        post("probe/add", {{"name", "mine"}}, 409);
        post("probe/add", {{"name", ""}}, 400);
        post("probe/add", {{"name", "x"}, {"latitude", 91}}, 400);
        post("probe/add", {{"name", "x"}, {"longitude", -181}}, 400);
        post("probe/update", {{"name", "mine"}, {"tenantId", probe["tenantId"]}}, 400);
        post("probe/update", {{"id", probe["id"]}, {"name", "mine"}}, 400);
        post("probe/update", {{"id", probe["id"]}, {"tenantId", 77}, {"name", "mine"}}, 400);
        post("probe/update", {{"id", 999}, {"tenantId", probe["tenantId"]}, {"name", "mine"}}, 404);

        const std::string id = probe["id"].dump();
        CHECK(call(verb::get, "probe/list").size() == 1);
        CHECK(call(verb::get, "probe/" + id)["name"] == "mine");
        call(verb::get, "probe/999", "", 404);
        post("check/add", check(probe["id"]));
        CHECK(call(verb::delete_, "probe/delete/" + id, "", 409)["err"] == "probe in use");
        call(verb::delete_, "check/delete/1");
        const json deleted = call(verb::delete_, "probe/delete/" + id);
        CHECK(deleted["probeID"] == deleted["probeId"]);
        call(verb::delete_, "probe/delete/" + id, "", 404);
        call(verb::delete_, "probe/delete/x", "", 400);
    }

    TEST_CASE_FIXTURE(ApiFixture, "what a probe can do: as given, else as the directory says")
    {
        const auto with_defaults = [&](const char* defaults) {
            use_directory(std::string{directory_of_two} +
                          fmt::format("defaults: {{probe_capabilities: {{{}}}}}\n", defaults));
        };
        install();
        config.disable_browser_checks = true;
        with_defaults("disable_scripted_checks: true");
        const json capabilities = post("probe/add", {{"name", "a"}})["probe"]["capabilities"];
        CHECK(capabilities["disableScriptedChecks"] == true);
        CHECK(capabilities["disableBrowserChecks"] == true);
        json given = post("probe/add",
            {{"name", "b"}, {"capabilities", {{"disableScriptedChecks", false},
                                                 {"enableProtocolSecrets", true}}}})["probe"];
        CHECK(given["capabilities"]["disableScriptedChecks"] == false);
        CHECK(given["capabilities"]["disableBrowserChecks"] == false);
        CHECK(given["capabilities"]["enableProtocolSecrets"] == false);  // for the agent to say
        given["capabilities"] = nullptr;
        given["deprecated"] = true;
        given = post("probe/update", given)["probe"];
        CHECK(given["capabilities"]["disableScriptedChecks"] == false);
        CHECK(given["deprecated"] == true);
        given.erase("deprecated");
        given["capabilities"] = {{"disableScriptedChecks", true}, {"enableProtocolSecrets", true}};
        given = post("probe/update", given)["probe"];
        CHECK(given["capabilities"]["disableScriptedChecks"] == true);
        CHECK(given["capabilities"]["enableProtocolSecrets"] == false);
        CHECK(given["deprecated"] == true);
    }

    TEST_CASE_FIXTURE(ApiFixture, "a reset of the token may be asked for in the body")
    {
        install();
        json probe = post("probe/add", {{"name", "a"}})["probe"];
        probe["resetToken"] = true;
        CHECK(post("probe/update", probe).contains("token"));
        probe["resetToken"] = false;
        CHECK_FALSE(post("probe/update", probe).contains("token"));
        for (const char* yes : {"?reset-token=", "?reset-token=TRUE", "?reset-token=1"})
            CHECK(post(std::string{"probe/update"} + yes, probe).contains("token"));
        probe["resetToken"] = "yes";
        post("probe/update", probe, 400);
        post("probe/update?reset-token=2", probe, 400);
    }

    TEST_CASE_FIXTURE(ApiFixture, "reserved names are refused on probes, too, once they stand bare")
    {
        install();
        const auto with_label = [](const char* name) {
            return json{{"name", name}, {"labels", {{{"name", "job"}, {"value", "x"}}}}};
        };
        post("probe/add", with_label("a"));
        config.reserved_labels = config::ControlConfig::Reserved::always;
        CHECK(post("probe/add", with_label("b"), 400)["err"] == "labels[0].name: reserved");
        json four = {{"name", "c"}, {"labels", json::array()}};
        for (const char* name : {"a", "b", "c", "d"})
            four["labels"].push_back({{"name", name}, {"value", "x"}});
        CHECK(post("probe/add", four, 400)["err"] == "labels: must be at most 3");
    }
}
