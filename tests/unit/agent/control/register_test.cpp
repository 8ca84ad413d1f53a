// Registration and access tokens (spec 04 §3.1 to §3.9, §7.4 to §7.7).
#include "agent/control/store/tenants.h"
#include "tests/unit/agent/control/api_fixture.h"

#include <set>

using namespace sonde;
using namespace sonde::tests;

namespace {

json pair(std::int64_t metrics, std::int64_t logs, const char* admin)
{
    return {{"apiToken", admin}, {"metricsInstanceId", metrics}, {"logsInstanceId", logs}};
}

struct Refused {
    std::string_view target;
    json body;
    int status;
    std::string_view err;
};

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(
        ApiFixture, "register/install: a tenant, its instances, a new token each time")
    {
        const json wanted = {{"stackId", 3}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}};
        const json first = post("register/install", wanted);
        const json second = post("register/install", wanted);
        CHECK(first["tenantInfo"]["id"] == 2);
        CHECK(first["tenantInfo"]["id"] == second["tenantInfo"]["id"]);
        CHECK(first["accessToken"] != second["accessToken"]);
        CHECK(first["accessToken"].get<std::string>().size() == 70);
        CHECK(first["tenantInfo"]["metricInstance"]["type"] == "prometheus");
        CHECK(first["tenantInfo"]["metricInstance"]["orgSlug"] == "acme");
        CHECK_FALSE(first["tenantInfo"]["logInstance"].contains("currentDpm"));

        CHECK(post("register/install",
                  {{"stackId", 4}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}},
                  400)["err"] == "stackId: unknown stack");
        CHECK(post("register/install",
                  {{"stackId", 9}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}},
                  400)["err"] == "stackId: unknown stack");
        post("register/install", {{"stackId", 3}, {"metricsInstanceId", 5}, {"logsInstanceId", 2}},
            400);
        post("register/install", {{"stackId", 3}, {"metricsInstanceId", 2}, {"logsInstanceId", 2}},
            400);
        post("register/install", {{"stackId", 3}, {"metricsInstanceId", 1}}, 400);
        post("register/install",
            {{"stackId", "3"}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}}, 400);
        token = "nobody";
        CHECK(post("register/install", wanted, 401)["err"] == "invalid API token");
        token = first["accessToken"];
        post("register/install", wanted, 401);  // an access token is no publisher token
    }

    TEST_CASE_FIXTURE(ApiFixture, "tokens: create, validate, refresh, delete")
    {
        install();
        const std::string first = token;
        CHECK(call(verb::post, "token/validate")["isValid"] == true);
        const json made = call(verb::post, "token/create");
        CHECK(made["accessToken"] == made["token"]);
        const json fresh = call(verb::post, "token/refresh");
        CHECK(call(verb::post, "token/validate", "", 401)["msg"] ==
              "invalid API authorization token");
        token = fresh["token"];
        CHECK(call(verb::delete_, "token/delete")["msg"] == "token deleted");
        call(verb::post, "token/validate", "", 401);
        call(verb::delete_, "token/delete", "", 401);
        token = made["token"];
        config.max_tokens_per_tenant = 1;
        call(verb::post, "token/create", "", 409);
        token.clear();
        CHECK(call(verb::post, "token/create", "", 401)["err"] == "missing API token");
        CHECK(last["WWW-Authenticate"] == "Bearer");
        token = "pub-acme";
        call(verb::post, "token/create", "", 401);
    }

    TEST_CASE_FIXTURE(ApiFixture, "which tokens were in use is told once")
    {
        install();
        CHECK(api.take_used_tokens().empty());  // a publisher's is not stored
        get("tenant");
        get("check/list");
        CHECK(api.take_used_tokens() == std::set{control::lookup_of(token)});
        token.back() = token.back() == 'x' ? 'y' : 'x';
        get("tenant", 401);
        CHECK(api.take_used_tokens().empty());
    }

    TEST_CASE_FIXTURE(ApiFixture, "the older calls, from nothing to a tenant that install knows")
    {
        token.clear();
        const json admin = {{"apiToken", "adm-beta"}};
        CHECK(
            post("register/describe", admin) == json{{"orgID", 1001}, {"tenants", json::array()}});
        const json begun = post("register/init", admin);
        const json id = begun["tenantInfo"]["id"];
        CHECK(begun["tenantInfo"] == json{{"id", id}});
        REQUIRE(begun["instances"].size() == 2);
        CHECK(begun["instances"][0]["type"] == "logs");
        CHECK(begun["instances"][0].size() == 11);
        CHECK(begun["instances"][1]["id"] == 11);
        CHECK(begun["instances"][1].size() == 13);
        const json again = post("register/init", admin);
        CHECK(again["tenantInfo"]["id"] == id);
        CHECK(again["accessToken"] != begun["accessToken"]);

        token = begun["accessToken"];
        const json before = get("tenant");
        CHECK(before["stackId"] == 0);
        CHECK(before["metricsRemote"].is_null());
        CHECK(before["created"] == before["modified"]);
        CHECK(post("register/save", pair(11, 12, "adm-beta")) == json::object());
        const json tenant = get("tenant");
        CHECK(tenant["stackId"] == 9);
        CHECK(tenant["metricsRemote"]["name"] == "beta-prom");
        CHECK(tenant["metricsRemote"]["url"] == "https://m.example.org/api/prom");
        CHECK(tenant["metricsRemote"]["username"] == "11");
        CHECK(tenant["eventsRemote"]["password"] == "<encrypted>");
        CHECK(tenant["modified"] > before["modified"]);

        token = "nonsense";  // ignored
        const json info = post("register/init", admin)["tenantInfo"];
        CHECK(info["metricInstance"]["id"] == 11);
        CHECK(info["logInstance"]["id"] == 12);
        install_other();
        CHECK(get("tenant")["id"] == id);
        CHECK(post("register/describe", admin)["tenants"] == json::array({info}));
        CHECK(post("register/viewer-token",
                  {{"apiToken", "adm-beta"}, {"id", 11}, {"type", "prometheus"}}) ==
              json{{"token", "see-all"}});
    }

    TEST_CASE_FIXTURE(ApiFixture, "the older calls: each refusal")
    {
        install();
        const json viewed = {{"apiToken", "adm-beta"}, {"id", 12}, {"type", "logs"}};
        const auto with = [](json body, const char* member, const json& value) {
            body[member] = value;
            return body;
        };
        const Refused table[] = {
            {"register/init", json::object(), 400, "apiToken: is required"},
            {"register/init", {{"apiToken", ""}}, 400, "apiToken: is required"},
            {"register/init", {{"apiToken", nullptr}}, 400, "apiToken: is required"},
            {"register/init", {{"apiToken", 7}}, 400, "apiToken: is not a string"},
            {"register/init", {{"apiToken", "x"}}, 401, "invalid API token"},
            {"register/describe", {{"apiToken", "pub-acme"}}, 401, "invalid API token"},
            {"register/save", {{"apiToken", "adm-acme"}}, 400,
                "metricsInstanceId: is required, an integer from 1"},
            {"register/save", pair(1, 0, "x"), 400,
                "logsInstanceId: is required, an integer from 1"},
            {"register/save", pair(1, 2, "x"), 401, "invalid API token"},
            {"register/save", pair(11, 12, "adm-beta"), 403, "forbidden"},
            {"register/save", pair(1, 2, "adm-beta"), 403, "forbidden"},
            {"register/save", pair(2, 1, "adm-acme"), 400,
                "metricsInstanceId: the organization has no such prometheus instance"},
            {"register/save", pair(1, 12, "adm-acme"), 400,
                "logsInstanceId: the organization has no such logs instance"},
            {"register/save", pair(1, 2, "adm-acme"), 409, "no publisher token configured"},
            {"register/viewer-token", with(viewed, "type", "metrics"), 400,
                "type: is not one of prometheus, logs"},
            {"register/viewer-token", with(viewed, "type", nullptr), 400, "type: is required"},
            {"register/viewer-token", with(viewed, "id", "12"), 400, "id: is not an integer"},
            {"register/viewer-token", with(viewed, "apiToken", "x"), 401, "invalid API token"},
            {"register/viewer-token", with(viewed, "id", 99), 404, "not found"},
            {"register/viewer-token", with(viewed, "type", "prometheus"), 404, "not found"},
            {"register/viewer-token", viewed, 501, "no viewer token configured"},
        };
        for (const Refused& row : table) {
            CAPTURE(row.target);
            CAPTURE(row.body.dump());
            const json answer = post(std::string{row.target}, row.body, row.status);
            CHECK(answer["err"] == row.err);
            if (row.status == 401)
                CHECK(answer["msg"] == "invalid admin token");
        }
        token = "nonsense";
        post("register/save", pair(1, 2, "adm-acme"), 401);
    }

    TEST_CASE_FIXTURE(ApiFixture, "an organisation with several tenants cannot begin")
    {
        change_directory("stacks: [3]", "stacks: \"*\"");
        install();
        token = "pub-acme";
        post("register/install", {{"stackId", 4}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}});
        CHECK(post("register/init", {{"apiToken", "adm-acme"}}, 409)["msg"] == "too many tenants");
        CHECK(post("register/describe", {{"apiToken", "adm-acme"}})["tenants"].size() == 2);
    }

    TEST_CASE_FIXTURE(ApiFixture, "save binds a stack that is free, and only that")
    {
        install_other();
        const json bound = get("tenant")["id"];
        change_directory(
            "    stacks:\n      - {id: 9", "    stacks:\n      - {id: 10}\n      - {id: 9");
        token = "pub-beta";
        token = post("register/install",
            {{"stackId", 10}, {"metricsInstanceId", 11}, {"logsInstanceId", 12}})["accessToken"];
        CHECK(get("tenant")["id"] != bound);
        post("register/save", pair(11, 12, "adm-beta"));
        CHECK(get("tenant")["stackId"] == 10);  // 9 is the other's
    }

    TEST_CASE_FIXTURE(ApiFixture, "a publisher token is of the stack, else of the only one")
    {
        change_directory("- {id: 4, slug: more, name: More}",
            "- {id: 4, slug: more, name: More, publisher_token: {value: only-one}}");
        install();
        post("register/save", pair(5, 2, "adm-acme"));
        CHECK(get("tenant")["metricsRemote"]["name"] == "other");
        CHECK(get("tenant")["stackId"] == 3);
        change_directory("- {id: 3, slug: acme,",
            "- {id: 6, publisher_token: {value: another}}\n      - {id: 3, slug: acme,");
        CHECK(post("register/save", pair(5, 2, "adm-acme"), 409)["err"] ==
              "no publisher token configured");
    }

    TEST_CASE_FIXTURE(ApiFixture, "calls that begin at once make one tenant")
    {
        token.clear();
        const auto body = json{{"apiToken", "adm-beta"}}.dump();
        const net::HttpPeer peer;
        std::vector<HttpRequest> requests(4, request(verb::post, "register/init", body));
        std::set<json> tenants;
        std::size_t answered = 0;
        for (const HttpRequest& each : requests)
            asio::co_spawn(loop, api.handle(each, peer),
                [&](const std::exception_ptr& failed, const HttpReply& reply) {
                    CHECK_FALSE(failed);
                    tenants.insert(json::parse(reply.body())["tenantInfo"]["id"]);
                    ++answered;
                });
        while (answered < requests.size()) {
            loop.restart();
            REQUIRE(loop.run_one_for(std::chrono::seconds{30}) > 0);
        }
        CHECK(tenants.size() == 1);
    }

    TEST_CASE_FIXTURE(ApiFixture, "a changed directory changes what tenants may")
    {
        install();
        const auto apply = [&] {
            const auto applied = store.write_now([&](control::Transaction& db) -> Result<> {
                control::store::apply_directory(db, *directory);
                return {};
            });
            REQUIRE(applied.has_value());
        };
        const json before = get("tenant");
        CHECK(before["limits"].is_null());
        CHECK(before["secretStore"].is_null());
        apply();
        CHECK(get("tenant") == before);
        change_directory("metrics_instance_id: 1, logs_instance_id: 2}",
            "metrics_instance_id: 1, logs_instance_id: 2, limits: {max_checks: 7}, "
            "cost_attribution_labels: [team], "
            "secret_store: {url: \"https://s.example.org\", token: {value: hush}, expiry: 5}}");
        apply();
        const json after = get("tenant");
        CHECK(after["limits"]["maxChecks"] == 7);
        CHECK(after["limits"]["maxMetricLabels"] == 22);
        CHECK(after["costAttributionLabels"] == json::array({"team"}));
        CHECK(after["secretStore"] ==
              json{{"url", "https://s.example.org"}, {"token", "<encrypted>"}, {"expiry", 5}});
        CHECK(after["modified"] > before["modified"]);
        CHECK(last.body().find("hush") == std::string::npos);
        CHECK(get("tenant/cals") == json{{"names", {"team"}}});
        change_directory("stacks: [3]", "stacks: \"*\"");
        change_directory("{id: 3,", "{id: 33,");
        apply();
        CHECK(get("tenant") == after);  // the stack has gone, what the tenant had stays
    }
}
