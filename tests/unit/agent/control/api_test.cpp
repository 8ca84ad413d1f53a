#include "agent/control/api.h"
#include "tests/support/loop.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/test_database.h"

#include <boost/asio/thread_pool.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace sonde;
using boost::beast::http::verb;
using control::HttpReply;
using control::HttpRequest;
using nlohmann::json;
namespace asio = boost::asio;

namespace {

constexpr auto directory_text = R"(version: 1
organizations:
  - id: 1000
    slug: acme
    name: Acme Inc
    publisher_tokens:
      - {name: p, sha256: "PUBLISHER", stacks: [3]}
    hosted_instances:
      - {id: 1, type: prometheus, name: acme-prom, url: "https://mimir.example.net"}
      - {id: 2, type: logs, name: acme-logs, url: "https://loki.example.net"}
      - {id: 5, type: prometheus, name: other, url: "https://other.example.net"}
    stacks:
      - {id: 3, slug: acme, name: Acme, metrics_instance_id: 1, logs_instance_id: 2}
      - {id: 4, slug: more, name: More}
)";

struct Fixture {
    asio::io_context loop;
    boost::asio::thread_pool workers{2};
    tests::ScratchFolder folder;
    tests::TestDatabase database{folder};
    config::ControlConfig config;
    control::Feed feed{loop.get_executor()};
    control::Store store{workers, feed};
    std::shared_ptr<const control::Directory> directory;
    control::Api api{control::ApiParts{store, config, [this] { return directory; }}};
    std::string token;
    HttpReply last;

    Fixture()
    {
        std::string text = directory_text;
        text.replace(text.find("PUBLISHER"), 9, control::sha256_hex("pub-acme"));
        config.directory = text;
        auto loaded = control::Directory::load(config);
        REQUIRE_MESSAGE(loaded.has_value(), (loaded ? std::string{} : loaded.error().message));
        directory = *loaded;
        const auto opened = store.open(database.database(), database.seal());
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().message));
        token = "pub-acme";
    }

    json call(
        verb method, const std::string& target, const std::string& body = "", int expected = 200)
    {
        HttpRequest request{method, "/api/v1/" + target, 11};
        if (!token.empty())
            request.set("Authorization", "Bearer " + token);
        request.body() = body;
        return send(request, expected);
    }

    json send(const HttpRequest& request, int expected)
    {
        const net::HttpPeer peer;
        last = tests::await(loop, api.handle(request, peer));
        CAPTURE(std::string{request.target()});
        CAPTURE(request.body());
        CAPTURE(last.body());
        CHECK(last.result_int() == static_cast<unsigned>(expected));
        const json answer = json::parse(last.body(), nullptr, false);
        if (expected >= 400) {  // spec 04 §1.8: all three, always
            CHECK(answer["code"] == expected);
            CHECK(answer["msg"].is_string());
            CHECK(!answer["err"].get<std::string>().empty());
        }
        return answer;
    }

    json post(const std::string& target, const json& body, int expected = 200)
    {
        return call(verb::post, target, body.dump(), expected);
    }

    void install()
    {
        token = post("register/install",
            {{"stackId", 3}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}})["accessToken"];
    }

    std::int64_t add_probe(const std::string& name = "mine")
    {
        return post("probe/add",
            {{"name", name}, {"latitude", 41.40338}, {"longitude", 2.17403}})["probe"]["id"];
    }

    static json check(std::int64_t probe)
    {
        return {{"job", "shop"}, {"target", "example.org"}, {"frequency", 10000}, {"timeout", 3000},
            {"enabled", true}, {"probes", {probe}},
            {"labels", {{{"name", "team"}, {"value", "web"}}}},
            {"settings", {{"ping", json::object()}}}};
    }
};

}  // namespace

TEST_SUITE("agent/control/api")
{
    TEST_CASE_FIXTURE(Fixture, "register/install: a tenant, its instances, a new token each time")
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

    TEST_CASE_FIXTURE(Fixture, "tokens: create, validate, refresh, delete")
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

    TEST_CASE_FIXTURE(Fixture, "probes: add, update with and without a new token, list, delete")
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

    TEST_CASE_FIXTURE(Fixture, "checks: add, update, list, delete, and each refusal")
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

    TEST_CASE_FIXTURE(Fixture, "the tenant: passwords are masked, a masked one is kept")
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

    TEST_CASE_FIXTURE(Fixture, "the HTTP layer: paths, methods, media types, headers")
    {
        call(verb::get, "nothing", "", 404);
        install();
        call(verb::get, "check/add", "", 405);
        CHECK(std::string{last["Allow"]} == "POST, OPTIONS");
        call(verb::get, "//check//list/");
        CHECK(last["Cache-Control"] == "no-store");
        CHECK(last["X-Content-Type-Options"] == "nosniff");
        CHECK(!std::string{last["X-Request-Id"]}.empty());
        call(verb::get, "check/99999999999999999999", "", 400);
        call(verb::post, "check/add", "{", 400);
        call(verb::post, "check/add", "", 400);
        call(verb::post, "check/add", "[]", 400);

        HttpRequest request{verb::post, "/api/v1/check/add", 11};
        request.set("Authorization", "bearer  " + token);
        request.set("Content-Type", "text/plain");
        request.set("X-Request-Id", "abc-1");
        send(request, 415);
        CHECK(last["X-Request-Id"] == "abc-1");
        request.set("Content-Type", "Application/JSON; charset=\"UTF-8\"");
        send(request, 400);
        request.set("Content-Encoding", "gzip");
        send(request, 415);
        request.insert("Authorization", "Bearer other");
        send(request, 401);
    }

    TEST_CASE_FIXTURE(Fixture, "what one tenant has another does not see")
    {
        install();
        const auto probe = add_probe();
        post("check/add", check(probe));
        config.directory.replace(config.directory.find("stacks: [3]"), 11, "stacks: [3, 4]");
        directory = *control::Directory::load(config);
        token = "pub-acme";
        token = post("register/install",
            {{"stackId", 4}, {"metricsInstanceId", 1}, {"logsInstanceId", 2}})["accessToken"];
        call(verb::get, "check/1", "", 404);
        call(verb::delete_, "check/delete/1", "", 404);
        call(verb::get, "probe/" + std::to_string(probe), "", 404);
        CHECK(call(verb::get, "check/list") == json::array());
        CHECK(call(verb::get, "probe/list") == json::array());
        json mine = check(probe);
        CHECK(
            post("check/add", mine, 400)["err"] == fmt::format("probes: {} not available", probe));
    }
}
