#include "config/agent_config.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;

constexpr std::string_view ping = "{job: a, target: 192.0.2.1, settings: {ping: {}}}";

TEST_SUITE("config")
{
    TEST_CASE_FIXTURE(OptionsFile, "a check in a file has the documented defaults")
    {
        const auto config = good(fmt::format(
            "tenants: [{{id: 7, events: {{push_url: http://x}}}}]\nchecks: [{}]\n", ping));
        REQUIRE(config.checks.size() == 1);
        const pb::Check& check = config.checks[0];
        CHECK(check.id() == 1);
        CHECK(check.tenantid() == 7);
        CHECK(check.enabled());
        CHECK(check.frequency() == 60000);
        CHECK(check.timeout() == 3000);
        CHECK(check.settings().has_ping());
        const auto written = std::filesystem::last_write_time(folder.path("sonde.yaml"));
        const auto since = std::chrono::file_clock::to_sys(written).time_since_epoch();
        CHECK(check.modified() ==
              static_cast<double>(std::chrono::floor<std::chrono::microseconds>(since).count()) /
                  1e6);
    }

    TEST_CASE_FIXTURE(OptionsFile, "a check is read in the API's own form, as check/list prints it")
    {
        options.environment["SHOP_TOKEN"] = "12345";
        const auto config = good(R"(
checks:
  - {"id":5,"tenantId":1,"frequency":30000,"offset":10,"timeout":2000,"enabled":true,
     "labels":[{"name":"team","value":"web"}],"probes":[1,2],"target":"https://shop.example.org/",
     "job":"shop","basicMetricsOnly":true,"alertSensitivity":"high","channels":null,
     "created":1696236854.858741,"modified":1696236854.858742,"alerts":[],"folderUid":"x",
     "settings":{"http":{"ipVersion":"V4","method":"GET","noFollowRedirects":false,
       "validStatusCodes":[200,301],"failIfNotSSL":true}}}
  - job: 42
    target: example.org
    settings: {dns: {server: 192.0.2.53, recordType: a, protocol: UDP, validRCode: [NOERROR]}}
  - job: quoted
    target: https://shop.example.org/
    settings:
      http:
        bearerToken: "${SHOP_TOKEN}"
        body: ${SHOP_TOKEN}
        method:
)");
        REQUIRE(config.checks.size() == 3);
        CHECK(config.checks[0].id() == 5);
        CHECK(config.checks[0].probes_size() == 0);
        CHECK(config.checks[0].modified() == 1696236854.858742);
        CHECK(config.checks[0].labels(0).value() == "web");
        CHECK(config.checks[0].settings().http().validstatuscodes(1) == 301);
        CHECK(config.checks[1].id() == 2);
        CHECK(config.checks[1].job() == "42");
        CHECK(config.checks[1].settings().dns().recordtype() == pb::A);
        CHECK(config.checks[1].settings().dns().validrcodes(0) == "NOERROR");
        CHECK(config.checks[2].settings().http().bearertoken() == "12345");
        CHECK(config.checks[2].settings().http().body() == "12345");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a wrong check is named with line and member")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"frequency: 999\n", "frequency: must be between 1000 and 3600000 milliseconds"},
            {"frequency: 3600001\n", "frequency: must be between 1000 and 3600000 milliseconds"},
            {"frequency: 1m\n", "frequency: is not a 64-bit integer"},
            {"timeout: 60001\n", "timeout: must be between 1000 and 60000 milliseconds"},
            {"timeout: 999\n", "timeout: must be between 1000 and 60000 milliseconds"},
            {"timeout: 2000\n    frequency: 1999\n", "timeout: must not exceed frequency"},
            {"offset: -1\n", "offset: must be between 0 and frequency"},
            {"offset: 60001\n", "offset: must be between 0 and frequency"},
            {"enabled: 1\n", "enabled: is not true or false"},
            {"tenantId: \"1\"\n", "tenantId: is not a 64-bit integer"},
            {"id: 0\n", "id: must not be 0; leave it out for the position"},
            {"frequencey: 1000\n", "frequencey: is not a member; did you mean frequency?"},
            {"timeout: 2000\n    timeout: 2000\n", "timeout: is there twice: keep one of them"},
            {"labels: [{name: a-b, value: x}]\n",
                "labels[0]: the name must be 1 to 128 of A-Z a-z 0-9 _"},
            {"labels: [{name: __a, value: x}]\n", "labels[0]: the name must not begin with __"},
            {"labels: [{name: a}]\n", "labels[0]: the value must have 1 to 128 bytes"},
            {"labels: [{name: a, value: x}, {name: a, value: y}]\n",
                "labels[1]: a is there twice: keep one of them"},
            {"labels: [{name: a, valu: x}]\n",
                "labels[0].valu: is not a member; did you mean value?"},
            {"channels: {k6: {id: x}}\n", "channels: not supported yet: leave it out"},
            {"alertSensitivity: \"a\\tb\"\n",
                "alertSensitivity: must have at most 128 bytes and no control characters"},
        };
        for (const auto& [lines, message] : table) {
            CAPTURE(lines);
            const auto all = problems(fmt::format(
                "checks:\n  - target: t\n    job: j\n    settings: {{ping: {{}}}}\n    {}", lines));
            REQUIRE_FALSE(all.empty());
            const bool last_line = message == "timeout: is there twice: keep one of them";
            CHECK(all.front() ==
                  fmt::format("sonde.yaml:{}: checks[0].{}", last_line ? 6 : 5, message));
        }
    }

    TEST_CASE_FIXTURE(OptionsFile, "what is missing or misplaced in a check is named")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"{target: t, settings: {ping: {}}}", "checks[0].job: is required"},
            {"{job: \" \", target: t, settings: {ping: {}}}", "checks[0].job: is required"},
            {"{job: j, settings: {ping: {}}}", "checks[0].target: is required"},
            {"{job: __internal__, target: t, settings: {ping: {}}}",
                "checks[0].job: must not be __internal__"},
            {"{job: j, target: \"a\\x01\", settings: {ping: {}}}",
                "checks[0].target: must not have control characters"},
            {"{job: j, target: t}",
                "checks[0].settings: exactly one kind is required, such as ping: {}"},
            {"{job: j, target: t, settings: {ping: {}, tcp: {}}}",
                "checks[0].settings: exactly one kind is required, such as ping: {}"},
            {"{job: j, target: t, settings: {pong: {}}}",
                "checks[0].settings.pong: is not a member; did you mean ping?"},
            {"{job: j, target: t, settings: {http: {headers: [[x]]}}}",
                "checks[0].settings.http.headers[0]: is not a string"},
            {"{job: \"${NOWHERE}\", target: t, settings: {ping: {}}}",
                "checks[0].job: the environment variable NOWHERE is not set; $${NOWHERE} stands "
                "for the text itself"},
            {"ping", "checks[0]: must be a check: a mapping with job and target"},
        };
        for (const auto& [check, message] : table) {
            CAPTURE(check);
            const auto all = problems(fmt::format("\nchecks:\n  - {}\n", check));
            REQUIRE_FALSE(all.empty());
            CHECK(all.front() == fmt::format("sonde.yaml:3: {}", message));
        }
        CHECK(problem("checks: {}") == "sonde.yaml:1: checks: must be a list");
    }

    TEST_CASE_FIXTURE(OptionsFile, "job and target, and ids, are there once; tenants must exist")
    {
        CHECK(problem(fmt::format("checks:\n  - {0}\n  - {0}\n", ping)) ==
              "sonde.yaml:3: checks[1].job: \"a\" with target \"192.0.2.1\" is there twice: change "
              "one of them");
        CHECK(problem(fmt::format("checks:\n  - {}\n  - {}\n", ping,
                  "{id: 1, job: b, target: t, settings: {tcp: {}}}")) ==
              "sonde.yaml:3: checks[1].id: 1 is there twice: leave id out, or make it unique");
        CHECK(problem("tenants: [{id: 7, events: {push_url: http://x}}]\n"
                      "checks: [{job: b, target: t, settings: {tcp: {}}, tenantId: 8}]") ==
              "sonde.yaml:2: checks[0].tenantId: there is no 8 in tenants: add it there, or name "
              "another");
        CHECK(
            good(
                "tenants: [{events: {push_url: http://x}}, {id: 2, events: {push_url: http://x}}]\n"
                "checks: [{job: b, target: t, settings: {tcp: {}}},\n"
                "  {job: b, target: t, settings: {tcp: {}}, tenantId: 2}]")
                .checks.size() == 2);
    }

    TEST_CASE_FIXTURE(OptionsFile, "as many labels as the tenant's limit leaves room for")
    {
        std::string labels;
        for (int i = 0; i < 11; ++i)
            labels += fmt::format("{{name: l{}, value: x}},", i);
        const auto text = fmt::format(
            "checks: [{{job: b, target: t, settings: {{tcp: {{}}}}, labels: [{}]}}]\n", labels);
        CHECK(problem(text) == "sonde.yaml:1: checks[0].labels: are more than 10: fewer, or raise "
                               "max_metric_labels of the tenant");
        CHECK(good(text + "tenants: [{events: {push_url: http://x}, max_metric_labels: 23}]\n")
                  .checks.size() == 1);
    }

    TEST_CASE_FIXTURE(OptionsFile, "a disabled check is judged, but not handed on")
    {
        CHECK(good("checks: [{job: a, target: t, enabled: false, settings: {ping: {}}}]")
                .checks.empty());
        CHECK(problem("checks: [{job: a, target: t, enabled: false}]") ==
              "sonde.yaml:1: checks[0].settings: exactly one kind is required, such as ping: {}");
    }

    TEST_CASE_FIXTURE(OptionsFile, "files of checks are YAML or JSON, one check or a list")
    {
        folder.write("b.json", "[\n\t{\"job\": \"b\", \"target\": \"https:\\/\\/x\", \"settings\": "
                               "{\"http\": {}}}\n]");
        folder.write("a.yaml", "job: a\ntarget: t\nsettings: {ping: {}}\n");
        const auto config = good("checks_files: [\"*.json\", a.yaml]");
        REQUIRE(config.checks.size() == 2);
        CHECK(config.checks[0].target() == "https://x");
        CHECK(config.checks[1].job() == "a");
        CHECK(config.checks[1].id() == 2);
    }

    TEST_CASE_FIXTURE(OptionsFile, "problems of a file of checks name that file")
    {
        folder.write("one.yaml", "job: a\ntarget: t\ntimeout: 1\nsettings: {ping: {}}\n");
        folder.write("list.yaml", "- job: a\n  target: t\n  timeout: 1\n  settings: {ping: {}}\n");
        CHECK(problem("checks_files: one.yaml") ==
              "one.yaml:3: timeout: must be between 1000 and 60000 milliseconds");
        CHECK(problem("checks_files: [list.yaml]") ==
              "list.yaml:3: [0].timeout: must be between 1000 and 60000 milliseconds");
        CHECK(problem("checks_files: [absent.yaml]") == "absent.yaml: No such file or directory");
        const auto none = load("checks_files: [\"absent*\"]");
        CHECK(none.problems.empty());
        REQUIRE(none.warnings.size() == 1);
        CHECK(none.warnings[0] == "sonde.yaml:1: checks_files: absent* matches no file");
        folder.write("broken.yaml", "a: [\n");
        CHECK(problem("checks_files: [broken.yaml]").starts_with("broken.yaml:2: is no YAML: "));
    }

    TEST_CASE_FIXTURE(OptionsFile, "a secret in a check's settings does not show in problems")
    {
        options.environment["T"] = "hunter2";
        const auto all = problems("checks: [{job: a, target: t, settings: {http: {bearerToken: "
                                  "\"${T}\", method: \"${T}\", "
                                  "validStatusCodes: ${T}, tlsConfig: {caCert: \"${T}\"}}}}]");
        REQUIRE_FALSE(all.empty());
        for (const std::string& line : all)
            CHECK(line.find("hunter2") == std::string::npos);
    }

    TEST_CASE_FIXTURE(OptionsFile, "a node that contains itself is refused")
    {
        const auto all =
            problems("checks: [&x {job: a, target: t, settings: {http: {headers: [*x]}}}]");
        CHECK_FALSE(all.empty());
        CHECK_FALSE(problems("control: {directory: &x {a: *x}}").empty());
    }
}

}  // namespace
}  // namespace sonde::config
