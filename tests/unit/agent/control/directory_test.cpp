// The operator's file (spec 04 §7.1, §7.2).
#include "agent/control/directory.h"
#include "agent/control/secrets.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace sonde;
using namespace sonde::tests;

namespace {

constexpr auto whole = R"(version: 1
defaults:
  limits: {profile: extended, max_checks: 9, max_metric_labels: 30}
  probe_capabilities: {disable_scripted_checks: true}
organizations:
  - id: 1000
    slug: acme
    name: Acme Inc
    admin_tokens:
      - {name: setup, value_file: admin}
    publisher_tokens:
      - {name: one, value_env: SONDE_TEST_PUBLISHER, stacks: [3]}
      - {name: all, value: everything, stacks: "*"}
    hosted_instances:
      - {id: 1, type: prometheus, name: m, url: "https://m.example.org",
         viewer_token: {value_file: viewer}}
      - {id: 1, type: logs, name: l, url: "https://l.example.org", remote_username: u,
         remote_url: "https://l.example.org/push"}
    stacks:
      - {id: 3, slug: a, name: A, metrics_instance_id: 1, logs_instance_id: 1,
         publisher_token: {value: everything}, limits: {profile: contract, max_checks: 7},
         secret_store: {url: "https://s.example.org", token: {value: hush}, expiry: 1.5}}
      - {id: 4}
public_probes:
  - key: fra
    name: Frankfurt
    latitude: 50.11
    longitude: 8.68
    labels: [{name: a, value: x}, {name: b, value: x}, {name: c, value: x}, {name: d, value: x}]
    capabilities: {disable_browser_checks: true}
    token: {sha256: "0000000000000000000000000000000000000000000000000000000000000001"}
)";

struct File {
    ScratchFolder folder;
    config::ControlConfig config;

    File()
    {
        config.directory_file = folder.write("directory.yaml", whole);
        config.allow_inline_secrets = true;
        folder.write("admin", "adm\n");
        folder.write("viewer", "see-all\n");
        ::setenv("SONDE_TEST_PUBLISHER", "pub", 1);
    }

    std::shared_ptr<const control::Directory> load() const
    {
        auto loaded = control::Directory::load(config);
        REQUIRE_MESSAGE(loaded.has_value(), (loaded ? std::string{} : loaded.error().message));
        return *loaded;
    }

    /// What is said of the file with some of its text replaced.
    std::string problem(std::string_view from, std::string_view to)
    {
        std::string text = whole;
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        folder.write("directory.yaml", text.replace(at, from.size(), to));
        const auto loaded = control::Directory::load(config);
        return loaded ? "" : loaded.error().message;
    }
};

struct Refused {
    std::string_view from;
    std::string_view to;
    std::string_view problem;
};

}  // namespace

TEST_SUITE("agent/control/directory")
{
    TEST_CASE_FIXTURE(File, "tokens lead to what they are for")
    {
        const auto directory = load();
        const auto* organization = directory->organization(1000);
        REQUIRE(organization != nullptr);
        CHECK(directory->admin("adm") == organization);
        CHECK(directory->admin("pub") == nullptr);
        CHECK(directory->publisher("adm") == nullptr);
        REQUIRE(directory->publisher("pub") != nullptr);
        CHECK(directory->publisher("pub")->covers(3));
        CHECK_FALSE(directory->publisher("pub")->covers(4));
        CHECK(directory->publisher("everything")->covers(4));
        CHECK(organization->instance(1, "prometheus")->viewer_token.reveal() == "see-all");
        CHECK(organization->instance(1, "logs")->viewer_token.empty());
        CHECK(organization->stack(3)->publisher_token.reveal() == "everything");
        CHECK(directory->digest() == control::sha256_hex(whole));
    }

    TEST_CASE_FIXTURE(File, "what the file does not say")
    {
        const auto directory = load();
        const auto* organization = directory->organization(1000);
        CHECK(organization->instance(1, "prometheus")->remote_url ==
              "https://m.example.org/api/prom");
        CHECK(organization->instance(1, "prometheus")->remote_username == "1");
        CHECK(organization->instance(1, "logs")->remote_url == "https://l.example.org/push");
        CHECK(organization->instance(1, "logs")->remote_username == "u");
        CHECK(organization->instance(2, "logs") == nullptr);
        CHECK(organization->owners(1, 1).size() == 1);
        CHECK(organization->owners(1, 2).empty());
        CHECK(directory->stack(1000, 3) == organization->stack(3));
        CHECK(directory->stack(1001, 3) == nullptr);
        CHECK(directory->stack(1000, 0) == nullptr);
    }

    TEST_CASE_FIXTURE(File, "limits of a stack lie over the defaults")
    {
        const auto directory = load();
        const auto& own = *directory->stack(1000, 3)->limits;
        CHECK(own.extended == std::optional{false});
        CHECK(own.limits.maxchecks() == 7);
        CHECK(own.limits.maxmetriclabels() == 30);
        CHECK(own.limits.maxloglabels() == 15);
        CHECK(directory->stack(1000, 4)->limits->limits.maxchecks() == 9);
        CHECK(directory->default_limits()->extended == std::optional{true});
        CHECK(directory->default_capabilities().disablescriptedchecks());
        const auto& probe = directory->public_probes().front().probe;
        CHECK(probe.capabilities().disablescriptedchecks());
        CHECK(probe.capabilities().disablebrowserchecks());
        CHECK(probe.labels_size() == 4);  // the operator may have more than three
        CHECK(directory->stack(1000, 3)->secret_store->expiry() == 1.5);
        CHECK(directory->stack(1000, 3)->secret_store->token() == "hush");
    }

    TEST_CASE_FIXTURE(File, "each thing that can be wrong")
    {
        const Refused table[] = {
            {"version: 1", "version: 2", "version: must be 1"},
            {"slug: acme", "slag: acme", "slag"},
            {"- id: 1000", "- id: 0", "organizations[0].id: is required"},
            {"{id: 1, type: logs", "{id: 1, type: prometheus",
                "hosted_instances[1].id: is there twice for this type"},
            {"type: logs", "type: traces", "\"traces\" is not one of prometheus, logs"},
            {"- {id: 4}", "- {id: 3}", "stacks[1].id: is there twice"},
            {"logs_instance_id: 1", "logs_instance_id: 2",
                "the organization has no instance 2 of type logs"},
            {"stacks: [3]", "stacks: [5]", "the organization has no such stack"},
            {"stacks: [3]", "stacks: 3", "is required: a list of stack ids"},
            {"value_file: admin", "value_file: nowhere", "nowhere"},
            {"value_file: admin", "sha256: abc", "admin_tokens[0].sha256: is required"},
            {"value_file: admin", "value: everything", "is there twice: two tokens are equal"},
            {"value_env: SONDE_TEST_PUBLISHER", "value_env: SONDE_TEST_NOWHERE",
                "the environment variable SONDE_TEST_NOWHERE is not set"},
            {"viewer_token: {value_file: viewer}", "viewer_token: {}",
                "viewer_token.value_file: is required"},
            {"viewer_token: {value_file: viewer}", "viewer_token: {jwt: {subject: x}}", "jwt"},
            {"url: \"https://s.example.org\", ", "", "secret_store.url: is required"},
            {"max_metric_labels: 30", "max_metric_labels: 11",
                "max_metric_labels: must be at least 12"},
            {"max_checks: 9", "max_log_labels: 9", "max_log_labels: must be at least 10"},
            {"key: fra", "key: \"@fra\"", "does not start with @"},
            {"name: Frankfurt", "name: \"\"", "public_probes[0].name: must be 1 to 128 bytes"},
            {"latitude: 50.11", "latitude: 91", "public_probes[0].latitude: must be between"},
            {"name: d, value", "name: __d, value", "labels[3].name: must not begin with __"},
            {"name: d, value", "name: c, value", "labels[3].name: is there twice"},
        };
        for (const Refused& row : table) {
            CAPTURE(row.from);
            const std::string said = problem(row.from, row.to);
            CAPTURE(said);
            CHECK(said.find(row.problem) != std::string::npos);
        }
        CHECK(problem("version: 1", "version: 1").empty());
    }

    TEST_CASE_FIXTURE(File, "a secret in clear text is refused, and not repeated")
    {
        config.allow_inline_secrets = false;
        const std::string said = problem("version: 1", "version: 1");
        CHECK(
            said.find("publisher_tokens[1].value: is a secret in clear text") != std::string::npos);
        CHECK(said.find("stacks[0].publisher_token.value: is a secret") != std::string::npos);
        CHECK(said.find("everything") == std::string::npos);
        CHECK(said.find("hush") == std::string::npos);
    }
}
