// `sonde ctl` against the real API.
#include "tests/unit/agent/cli/ctl_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using nlohmann::json;
using tests::CtlFixture;
using tests::Outcome;
using Words = std::vector<std::string>;

namespace {

constexpr std::string_view two_checks = R"(
- job: shop
  target: https://shop.example.org/
  frequency: 30000
  probes: [mine]
  labels: [{name: team, value: web}]
  settings: {http: {validStatusCodes: [200], bearerToken: "${PATH}"}}
- job: gateway
  target: 192.0.2.1
  probes: [mine]
  labels: [{name: team, value: web}]
  settings: {ping: {}}
)";

bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("cli/ctl/api")
{
    TEST_CASE_FIXTURE(CtlFixture, "checks: add, list, get, update, delete")
    {
        const auto added = ctl({"check", "add", "-f", folder.write("c.yaml", two_checks)});
        CHECK(added.error == "");
        CHECK(added.status == 0);
        CHECK(added.out == "added check 1 shop/https://shop.example.org/\n"
                           "added check 2 gateway/192.0.2.1\n");

        const auto listed_checks = ctl({"check", "list"});
        CHECK(listed_checks.out ==
              "ID  JOB      TARGET                     KIND  EVERY  TIMEOUT  STATE  PROBES\n"
              " 1  shop     https://shop.example.org/  http    30s       3s  on          1\n"
              " 2  gateway  192.0.2.1                  ping     1m       3s  on          1\n");
        CHECK(listed("check").size() == 2);

        for (const char* named : {"1", "shop", "shop/https://shop.example.org/"}) {
            const auto one = ctl({"check", "get", named, "--json"});
            CHECK(one.json()["job"] == "shop");
            CHECK(one.json()["settings"]["http"]["validStatusCodes"] == json{200});
        }
        const auto shown = ctl({"check", "get", "shop"});
        CHECK(has(shown.out, "probes                    mine\n"));
        CHECK(has(shown.out, "http.bearerToken          <secret>\n"));

        const std::string other =
            "{job: gateway, target: 192.0.2.1, probes: [1], settings: {ping: {}}, enabled: false}";
        const auto updated = ctl({"check", "update", "-f", folder.write("u.yaml", other)});
        CHECK(updated.error == "");
        CHECK(updated.out == "changed check 2 gateway/192.0.2.1\n");
        CHECK(listed("check")[1]["enabled"] == false);
        const auto renamed = ctl({"check", "update", "-f",
            folder.write("u.yaml",
                "{id: 2, job: gw, target: 192.0.2.1, probes: [mine], settings: {ping: {}}}"),
            "--json"});
        CHECK(renamed.json()["job"] == "gw");

        const auto gone = ctl({"check", "delete", "shop", "2"});
        CHECK(gone.status == 0);
        CHECK(gone.out == "deleted check 1 shop\ndeleted check 2\n");
        CHECK(listed("check").empty());
        const auto again = ctl({"check", "delete", "2"});
        CHECK(again.status == 1);
        CHECK(has(again.error, "sonde ctl: DELETE check/delete/2: 404 check 2 not found"));
    }

    TEST_CASE_FIXTURE(CtlFixture, "probes: add, list, get, update, reset-token, delete")
    {
        const auto added = ctl({"probe", "add", "--name", "ams-1", "--region", "EMEA", "--latitude",
            "52.5", "--label", "site=a"});
        CHECK(added.error == "");
        CHECK(has(added.out, "added probe 2 ams-1\ntoken "));
        const auto all = ctl({"probe", "list"});
        CHECK(all.out == "ID  NAME   REGION  STATE    WHOSE  VERSION  LABELS\n"
                         " 1  mine   EMEA    offline  own    -        -\n"
                         " 2  ams-1  EMEA    offline  own    -        site=a\n");
        CHECK(ctl({"probe", "get", "ams-1", "--json"}).json()["latitude"] == 52.5);
        CHECK(has(ctl({"probe", "get", "2"}).out, "place     52.5, 0\n"));

        const auto changed = ctl({"probe", "update", "ams-1", "--region", "AMER"});
        CHECK(changed.error == "");
        CHECK(changed.out == "changed probe 2 ams-1\n");
        const auto one = ctl({"probe", "get", "ams-1", "--json"}).json();
        CHECK(one["region"] == "AMER");
        CHECK(one["latitude"] == 52.5);  // what no flag names stays
        const auto file = folder.write("p.yaml", "{name: ams-1, longitude: 4.75}");
        CHECK(ctl({"probe", "update", "-f", file}).status == 0);
        const auto replaced = ctl({"probe", "get", "ams-1", "--json"}).json();
        CHECK(replaced["region"] == "");
        CHECK(replaced["longitude"] == 4.75);

        const std::string kept = folder.path("ams.token");
        const auto reset = ctl({"probe", "reset-token", "ams-1", "--token-out", kept});
        CHECK(reset.error == "");
        CHECK(reset.out ==
              fmt::format("reset the token of probe 2 ams-1\nits token is in {}\n", kept));
        const auto token = tests::content_of(kept);
        CHECK(token.size() == 65);
        CHECK((std::filesystem::status(kept).permissions() & std::filesystem::perms{0077}) ==
              std::filesystem::perms::none);
        const auto hidden = ctl({"probe", "reset-token", "2", "--token-out", kept, "--json"});
        CHECK(hidden.json()["token"] == "<secret>");

        CHECK(ctl({"probe", "delete", "ams-1"}).out == "deleted probe 2 ams-1\n");
        const auto unknown = ctl({"probe", "get", "mien"});
        CHECK(unknown.status == 1);
        CHECK(unknown.error == "sonde ctl: there is no probe mien; did you mean mine?\n");
    }

    TEST_CASE_FIXTURE(CtlFixture, "tokens: create, refresh in place, validate, delete")
    {
        CHECK(ctl({"token", "validate"}).out == "token is valid\n");
        const auto created = ctl({"token", "create"});
        CHECK(created.out.starts_with("sma_"));
        CHECK(created.out.size() == 71);
        const auto refreshed = ctl({"token", "refresh", "--token-out", token_file});
        CHECK(refreshed.error == "");
        CHECK(refreshed.out == "token refreshed\n");
        CHECK(tests::content_of(token_file) != api.access);
        CHECK(ctl({"token", "validate"}).status == 0);  // with the new one
        const auto nowhere = ctl({"token", "refresh", "--token-out", folder.path("no/where")});
        CHECK(nowhere.status == 1);
        CHECK(ctl({"token", "validate"}).status == 0);  // it was not made void for nothing
        CHECK(ctl({"token", "delete"}).out == "token deleted\n");
        const auto refused = ctl({"token", "validate"});
        CHECK(refused.status == 1);
        CHECK(has(refused.error, "401 the API refuses the token"));
        CHECK_FALSE(has(refused.error, "sma_"));
    }

    TEST_CASE_FIXTURE(CtlFixture, "the tenant: get, limits, update")
    {
        const auto shown = ctl({"tenant", "get"});
        CHECK(shown.status == 0);
        CHECK(has(shown.out, "status        active\n"));
        CHECK(ctl({"tenant", "get", "--json"}).json()["status"] == 0);
        CHECK(ctl({"tenant", "limits", "--json"}).json().contains("MaxChecks"));
        const auto off =
            ctl({"tenant", "update", "--status", "disabled", "--reason", "no payment"});
        CHECK(off.error == "");
        CHECK(off.out == "tenant updated\n");
        CHECK(has(ctl({"tenant", "get"}).out, "disabled: no payment\n"));
        const auto file = folder.write("t.yaml",
            "metricsRemote: {name: m, url: \"https://other.example.net\", username: \"7\", "
            "password: \"${PATH}\"}\n");
        CHECK(ctl({"tenant", "update", "-f", file, "--status", "active"}).status == 0);
        const auto tenant = ctl({"tenant", "get", "--json"}).json();
        CHECK(tenant["status"] == 0);
        CHECK(tenant["metricsRemote"]["url"] == "https://other.example.net");
        CHECK(ctl({"tenant", "update"}).status == 2);
    }

    TEST_CASE_FIXTURE(CtlFixture, "register install: the publisher's token makes an access token")
    {
        const auto publisher = folder.write("publisher", "pub-acme\n");
        const Words install{"register", "install", "--stack", "4", "--metrics", "1", "--logs", "2",
            "--token-file", publisher};
        const auto shown = ctl(install);
        CHECK(shown.error == "");
        CHECK(has(shown.out, "metrics  https://mimir.example.net\n"));
        CHECK(has(shown.out, "token    sma_"));
        auto words = install;
        words.insert(words.end(), {"--token-out", token_file});
        CHECK(has(ctl(words).out, "token    in "));
        CHECK(ctl({"token", "validate"}).status == 0);
    }

    TEST_CASE_FIXTURE(CtlFixture, "what the API refuses is said as it says it; a file is judged "
                                  "before")
    {
        folder.write("c.yaml", two_checks);
        CHECK(ctl({"check", "add", "-f", folder.path("c.yaml")}).status == 0);
        const auto twice = ctl({"check", "add", "-f", folder.path("c.yaml")});
        CHECK(twice.status == 1);
        CHECK(twice.error == "sonde ctl: POST check/add: 409 Failed to add check to database: "
                             "target/job combination already exists\n"
                             "sonde ctl: POST check/add: 409 Failed to add check to database: "
                             "target/job combination already exists\n");
        const auto wrong = ctl({"check", "add", "-f",
            folder.write("w.yaml", "[{job: new, target: example.org, probes: [mine], "
                                   "settings: {ping: {}}}, {job: b, target: c}]")});
        CHECK(wrong.status == 2);
        CHECK(has(wrong.error, "w.yaml:1: [1].settings: exactly one kind"));
        CHECK(listed("check").size() == 2);  // "new" was not sent
    }

    TEST_CASE_FIXTURE(CtlFixture, "nobody answers, or somebody else does")
    {
        const tests::ClosedPort closed{loop};
        const auto refused = sonde({"ctl", "check", "list", "--url", "http://" + closed.address(),
            "--token-file", token_file, "--config", config_file});
        CHECK(refused.status == 1);
        CHECK(refused.error.starts_with("sonde ctl: http://" + closed.address() + ": "));
        const auto grpc = sonde({"ctl", "check", "list", "--url",
            fmt::format("http://127.0.0.1:{}", api.replica.control->grpc_ports().front()),
            "--token-file", token_file, "--config", config_file});
        CHECK(grpc.status == 1);
        CHECK_FALSE(has(grpc.error, api.access));
    }

    TEST_CASE_FIXTURE(CtlFixture, "misuse is 2, with the nearest word; a token is no argument")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"ctl"}, "subcommand"},
            {{"ctl", "check"}, "subcommand"},
            {{"ctl", "chekc"}, "Did you mean check?"},
            {{"ctl", "check", "lst"}, "Did you mean list?"},
            {{"ctl", "check", "list", "--tokn-file", "x"}, "Did you mean --token-file?"},
            {{"ctl", "check", "list", "--token", "s3cret"}, "--token"},
            {{"ctl", "check", "list", "-o", "yaml"}, "--output"},
            {{"ctl", "check", "get"}, "CHECK"},
            {{"ctl", "register", "install", "--stack", "1"}, "--metrics"},
            {{"ctl", "apply"}, "--file"},
            {{"ctl", "apply", "-f", "x", "--prune=some"}, "prune"},
            {{"ctl", "apply", "-f", "x", "--prune"}, "--owner LABEL=VALUE"},
            {{"ctl", "apply", "-f", "x", "--owner", "team"}, "is not LABEL=VALUE"},
        };
        for (const auto& [words, said] : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            const auto outcome = sonde(words);
            CAPTURE(outcome.error);
            CHECK(outcome.status == 2);
            CHECK(has(outcome.error, said));
        }
    }

    TEST_CASE_FIXTURE(CtlFixture, "bash completes ctl's verbs, two levels deep")
    {
        const auto script = sonde({"completion", "bash"}).out;
        CHECK(has(script, "\"ctl check list\") offered="));
        CHECK(has(script, "\"ctl check list -o\") offered=\"table json\""));
    }
}

TEST_SUITE("cli/ctl/apply")
{
    TEST_CASE_FIXTURE(CtlFixture, "apply converges, and then has nothing to do")
    {
        const auto file = folder.write("c.yaml", two_checks);
        const auto tried = ctl({"apply", "-f", file, "--dry-run"});
        CHECK(tried.error == "");
        CHECK(tried.status == 3);
        CHECK(has(tried.out, "+ check gateway/192.0.2.1\n"
                             "    frequency: 60000\n"
                             "    timeout: 3000\n"
                             "    enabled: true\n"
                             "    labels[0].name: team\n"
                             "    labels[0].value: web\n"
                             "    probes: mine\n"));
        CHECK(has(tried.out, "    settings.http.bearerToken: <secret>\n"));
        CHECK(tried.out.ends_with("2 to add, 0 to change, 0 to delete; 0 unchanged.\n"));
        CHECK(listed("check").empty());

        const auto done = ctl({"apply", "-f", file});
        CHECK(done.error == "");
        CHECK(done.status == 0);
        CHECK(has(done.out, "added check 1 shop/https://shop.example.org/\n"
                            "added check 2 gateway/192.0.2.1\n"));
        const auto before = listed("check");
        CHECK(before.size() == 2);
        for (const bool dry : {false, true}) {
            Words words{"apply", "-f", file};
            if (dry)
                words.emplace_back("--dry-run");
            const auto again = ctl(words);
            CHECK(again.status == 0);
            CHECK(again.out == "No changes; 2 unchanged.\n");
        }
        CHECK(listed("check") == before);

        std::string text{two_checks};
        text.replace(text.find("[200]"), 5, "[204]");
        const auto changed = ctl({"apply", "-f", folder.write("c.yaml", text)});
        CHECK(has(changed.out, "~ check 1 shop/https://shop.example.org/\n"
                               "    settings.http.validStatusCodes[0]: 200 → 204\n"));
        CHECK(has(changed.out, "changed check 1 shop/https://shop.example.org/\n"));
        CHECK(listed("check")[0]["settings"]["http"]["validStatusCodes"] == json{204});
        CHECK(listed("check")[1] == before[1]);
    }

    TEST_CASE_FIXTURE(CtlFixture, "all that a check can have comes to rest after one apply")
    {
        const auto file = folder.write("c.yaml", R"(
- {job: d, target: example.org, probes: [mine], settings: {dns: {server: 192.0.2.53, validRCodes: [NOERROR],
    validateAdditionalRRS: {failIfMatchesRegexp: [a]}, recordType: a}}}
- {job: t, target: "example.org:25", probes: [mine, 1], basicMetricsOnly: true,
    settings: {tcp: {tlsConfig: {}, queryResponse: [{send: YQ==, expect: Yg==, startTLS: true}]}}}
- {job: h, target: "http://example.org", probes: [mine], alertSensitivity: high, enabled: false,
    settings: {http: {body: x, headers: ["A: b"], failIfHeaderMatchesRegexp: [{header: A, regexp: b}]}}}
)");
        const auto done = ctl({"apply", "-f", file});
        CHECK(done.error == "");
        REQUIRE(done.status == 0);
        CHECK(ctl({"apply", "-f", file}).out.starts_with("No changes; 3 unchanged"));
        // What the API lists can be applied as it is.
        const auto listing = folder.write("l.json", ctl({"check", "list", "--json"}).out);
        const auto same = ctl({"apply", "-f", listing});
        CHECK(same.error == "");
        CHECK(same.out.starts_with("No changes; 3 unchanged"));
    }

    TEST_CASE_FIXTURE(CtlFixture, "prune deletes what carries the owner's label, or all when told")
    {
        post("check/add", api.check("by-hand"));
        auto file = folder.write("c.yaml", two_checks);
        const Words words{"apply", "-f", file, "--owner", "team=web"};
        CHECK(ctl(words).status == 0);
        std::string text{two_checks};
        folder.write("c.yaml", text.substr(text.find("- job: gateway")));
        CHECK(ctl(words).out == "No changes; 1 unchanged; 2 in no file, left alone.\n");
        auto pruning = words;
        pruning.emplace_back("--prune");
        const auto pruned = ctl(pruning);
        CHECK(pruned.error == "");
        CHECK(has(pruned.out, "- check 2 shop/https://shop.example.org/\n"));
        CHECK(listed("check").size() == 2);
        CHECK(ctl(pruning).out == "No changes; 1 unchanged; 1 in no file, left alone.\n");
        folder.write("none.yaml", "checks: []\nprobes:\n");
        const auto all = ctl({"apply", "-f", folder.path("none.yaml"), "--prune=all"});
        CHECK(all.error == "");
        CHECK(all.status == 0);
        CHECK(listed("check").empty());
        CHECK(listed("probe").empty());
    }

    TEST_CASE_FIXTURE(
        CtlFixture, "a new probe comes before the checks that name it, with its token")
    {
        std::filesystem::create_directories(folder.path("tokens"));
        const auto file = folder.write("c.yaml", R"(
probes:
  - {name: ams/1, region: EMEA, latitude: 52.37, longitude: 4.9, labels: [{name: site, value: a}]}
checks:
  - {job: a, target: example.org, probes: [ams/1], settings: {ping: {}}}
)");
        const auto done = ctl({"apply", "-f", file, "--token-dir", folder.path("tokens")});
        CHECK(done.error == "");
        CHECK(done.status == 0);
        CHECK(has(done.out, fmt::format("added probe 2 ams/1; its token is in {}\n",
                                folder.path("tokens/ams%2F1.token"))));
        CHECK(tests::content_of(folder.path("tokens/ams%2F1.token")).size() == 65);
        CHECK(listed("check")[0]["probes"] == json{2});
        CHECK(ctl({"apply", "-f", file}).out ==
              "No changes; 2 unchanged; 1 in no file, left alone.\n");
    }

    TEST_CASE_FIXTURE(CtlFixture, "whatever is wrong is known before anything is sent")
    {
        const std::pair<std::string, std::string_view> table[] = {
            {"- {job: a, target: example.org, probes: [nobody], settings: {ping: {}}}",
                "there is no probe nobody"},
            {"- {job: a, target: example.org, probes: [mine], timeout: 0, settings: {ping: {}}}",
                "[1].timeout: must be milliseconds above 0"},
            // The API alone knows its limits.
            {"- {job: a, target: example.org, probes: [mine], frequency: 500000, "
             "settings: {ping: {}}}",
                "c.yaml:2: POST check/validate: 400 Invalid incoming check: frequency: must be "
                "between"},
        };
        for (const auto& [line, said] : table) {
            CAPTURE(line);
            const auto outcome = ctl({"apply", "-f",
                folder.write("c.yaml", "- {job: ok, target: example.org, probes: [mine], "
                                       "settings: {ping: {}}}\n" +
                                           line)});
            CAPTURE(outcome.error);
            CHECK(outcome.status == 2);
            CHECK(has(outcome.error, said));
            CHECK(listed("check").empty());
        }
    }

    TEST_CASE_FIXTURE(CtlFixture, "what failed and what was done is told apart; the rest goes on")
    {
        const auto file = folder.write("c.yaml", two_checks);
        CHECK(ctl({"apply", "-f", file}).status == 0);
        // "mine" is in use by a check that no file has: the API keeps it.
        post("check/add", [&] {
            auto check = api.check("by-hand");
            check["enabled"] = false;
            return check;
        }());
        const auto other = folder.write("o.yaml", "probes: [{name: new}]\n");
        const auto half = ctl({"apply", "-f", other, "--prune=all", "--json"});
        CHECK(half.status == 1);
        const auto account = half.json();
        REQUIRE(account["changes"].size() == 2);
        CHECK(account["changes"][0]["outcome"] == "done");
        CHECK(account["changes"][0]["action"] == "add");
        CHECK(account["changes"][1]["outcome"] == "failed");
        CHECK(has(account["changes"][1]["error"], "409"));
        CHECK(half.error == "sonde ctl: 1 done, 1 failed, 0 not tried; what is done stays, and "
                            "apply can be run again\n");
        const auto people = ctl({"apply", "-f", other, "--prune=all"});
        CHECK(people.status == 1);
        CHECK(has(people.out, "FAILED to delete probe 1 mine: DELETE probe/delete/1: 409 "));
    }

    TEST_CASE_FIXTURE(CtlFixture, "a token that is refused changes nothing")
    {
        folder.write("access-token", "sma_s3cret");
        const auto outcome = ctl({"apply", "-f", folder.write("c.yaml", two_checks)});
        CHECK(outcome.status == 1);
        CHECK(has(outcome.error, "401 the API refuses the token"));
        CHECK_FALSE(has(outcome.error, "s3cret"));
    }
}
