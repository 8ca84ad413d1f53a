#include "config/agent_config.h"
#include "config/unsupported.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;
using tests::with;

TEST_SUITE("config")
{
    TEST_CASE_FIXTURE(OptionsFile, "a file with nothing but checks has the documented defaults")
    {
        const auto config = good("checks: []\n");
        CHECK(config.state_dir == "/var/lib/sonde");
        CHECK(config.log.level == log::Level::warning);
        CHECK_FALSE(config.api.has_value());
        CHECK_FALSE(config.control.has_value());
        CHECK_FALSE(config.probe.name.empty());
        CHECK(config.schedule.start_spread == 2min);
        CHECK(config.publisher.request_bytes == 65536);
        CHECK_FALSE(config.publisher.proxy.has_value());
        REQUIRE(config.status.listen.has_value());
        CHECK(config.status.listen->text() == "localhost:4050");
    }

    TEST_CASE_FIXTURE(OptionsFile, "each kind of value is read")
    {
        folder.write("secret", "s3cret\n");
        const auto config = good(R"(
state_dir: state
log: {level: debug, format: json}
api:
  {address: "[::1]:4031", tls: false, token_file: secret, max_message_bytes: 1MiB, ca_file: ca.pem,
   step_aside: 90s, state_file: api/known, telemetry_every: 1m}
probe: {id: -4, name: Here, latitude: 52.52, longitude: -13.4, labels: {site: berlin, rack: "7"}}
tenants:
  - id: 9
    metrics: {push_url: http://x/api/v1/write, username: 7, password_file: secret}
    label_mode: dual_write
schedule: {start_spread: 0s, max_in_flight: 5, starts_per_tick: 2, republish_every: 1m}
checkers: {http_body_bytes: 1024, tcp_phases: true, blocked_nets: [10.0.0.0/8, "2001:db8::/32"]}
egress:
  targets: ["tcp://192.0.2.1:443", "ping://[2001:db8::1]", "tcp://[::1]:53", ping://gateway]
  quorum: 4
  timeout: 250ms
  valid_for: 0s
  withhold_failures: false
journal: {enabled: false, directory: /queue, max_bytes: 2GiB, max_age: 1h, sync_every: 0s}
publisher: {flush_every: 250ms, proxy: "", ca_file: /ca.pem}
status:
  {listen: ":0", sticky_ready: true, results: true, allow_reload: true, allow_disconnect: true,
   allow_log_level: true, push_every: 1m}
)");
        CHECK(config.state_dir == folder.path("state"));
        CHECK(config.log.level == log::Level::debug);
        CHECK(config.log.format == LogFormat::json);
        REQUIRE(config.api.has_value());
        CHECK(config.api->address == HostPort{"::1", 4031});
        CHECK_FALSE(config.api->tls);
        CHECK(config.api->token.reveal() == "s3cret");
        CHECK(config.api->max_message_bytes == 1048576);
        CHECK(config.api->ca_file == folder.path("ca.pem"));
        CHECK(config.probe.id == -4);
        CHECK(config.probe.longitude == -13.4);
        REQUIRE(config.probe.labels.size() == 2);
        CHECK(config.probe.labels[1] == std::pair<std::string, std::string>{"rack", "7"});
        REQUIRE(config.tenants.size() == 1);
        CHECK(config.tenants[0].id == 9);
        CHECK(config.tenants[0].metrics.username == "7");
        CHECK(config.tenants[0].metrics.password.reveal() == "s3cret");
        CHECK(config.tenants[0].label_mode == pb::LABEL_MODE_DUAL_WRITE);
        CHECK(config.schedule.start_spread == 0s);
        CHECK(config.schedule.max_in_flight == 5);
        CHECK(config.checkers.http_body_bytes == 1024);
        CHECK(config.checkers.tcp_phases);
        CHECK(config.publisher.flush_every == 250ms);
        CHECK(config.publisher.proxy == "");
        CHECK(config.publisher.ca_file == "/ca.pem");
        CHECK(config.status.listen == HostPort{"", 0});
        CHECK(config.status.sticky_ready);
        CHECK(config.status.results);
        CHECK(config.status.allow_reload);
        CHECK(config.status.allow_disconnect);
        CHECK(config.status.allow_log_level);
        CHECK(config.status.push_every == 1min);
        CHECK(config.api->step_aside == 90s);
        CHECK(config.api->state_file == folder.path("state/api/known"));
        CHECK(config.api->telemetry_every == 1min);
        REQUIRE(config.checkers.blocked_nets.size() == 2);
        CHECK(config.checkers.blocked_nets[0].text() == "10.0.0.0/8");
        CHECK(config.checkers.blocked_nets[1].text() == "2001:db8::/32");
        using Canary = EgressConfig::Canary;
        CHECK(config.egress.targets == std::vector<Canary>{{Canary::Kind::tcp, "192.0.2.1", 443},
                                           {Canary::Kind::ping, "2001:db8::1", 0},
                                           {Canary::Kind::tcp, "::1", 53},
                                           {Canary::Kind::ping, "gateway", 0}});
        CHECK(config.egress.quorum == 4);
        CHECK(config.egress.timeout == 250ms);
        CHECK(config.egress.valid_for == 0s);
        CHECK_FALSE(config.egress.withhold_failures);
        CHECK_FALSE(config.journal.enabled);
        CHECK(config.journal.directory == "/queue");
        CHECK(config.journal.max_bytes == std::size_t{2} << 30U);
        CHECK(config.journal.max_age == 1h);
        CHECK(config.journal.sync_every == 0s);
    }

    TEST_CASE_FIXTURE(OptionsFile, "state lies below state_dir; off keeps none and pushes nothing")
    {
        options.environment = {{"API_TOKEN", "t"}, {"STATE_DIRECTORY", "/state:/other"}};
        const auto config = good("api: {address: \"a:1\"}\n");
        CHECK(config.api->state_file == "/state/api.state");
        CHECK(config.journal.enabled);
        CHECK(config.journal.directory == "/state/journal");
        CHECK_FALSE(config.status.push_every.has_value());
        const auto off =
            good("api: {address: \"a:1\", state_file: off}\nstatus: {push_every: off}\n");
        CHECK(off.api->state_file.empty());
        CHECK_FALSE(off.status.push_every.has_value());
        options.environment["SONDE_CHECKERS_BLOCKED_NETS"] = "10.0.0.0/8, 192.0.2.7";
        options.environment["SONDE_EGRESS_TARGETS"] = "ping://a,tcp://[::1]:1";
        options.environment["SONDE_JOURNAL_DIRECTORY"] = "queue";
        const auto from_environment = good("checks: []\n");
        CHECK(from_environment.checkers.blocked_nets.size() == 2);
        CHECK(from_environment.egress.targets.size() == 2);
        CHECK(from_environment.journal.directory == "/state/queue");
        options.environment["SONDE_CHECKERS_BLOCKED_NETS"] = "10.0.0.0/8, 192.0.2.7/24";
        CHECK(
            problem("checks: []\n") ==
            "SONDE_CHECKERS_BLOCKED_NETS: checkers.blocked_nets: \"192.0.2.7/24\" has bits behind "
            "its prefix: write 192.0.2.0/24");
    }

    TEST_CASE("without a file, flags and environment say all")
    {
        LoadOptions options;
        options.environment = {{"SM_AGENT_API_TOKEN", "t"}, {"SONDE_LOG_LEVEL", "info"}};
        options.overrides = {{"api.address", "api.example.org:4031"}, {"api.tls", "false"}};
        const auto loaded = load_agent_config("", options);
        for (const std::string& line : loaded.problems)
            FAIL_CHECK(line);
        REQUIRE(loaded.config.api.has_value());
        CHECK(loaded.config.api->address.host == "api.example.org");
        CHECK_FALSE(loaded.config.api->tls);
        CHECK(loaded.config.api->token.reveal() == "t");
        CHECK(loaded.config.log.level == log::Level::info);
        options.environment.erase("SM_AGENT_API_TOKEN");
        options.overrides["status.listen"] = "nowhere";
        const auto wrong = load_agent_config("", options).problems;
        REQUIRE(wrong.size() == 2);
        CHECK(wrong[0] == "command line: api.token: is required: token_file (flag "
                          "-api-token-file), SM_AGENT_API_TOKEN, or "
                          "the credential api-token");
        CHECK(wrong[1] ==
              "command line: status.listen: \"nowhere\" has no port: write host:port, or "
              "off");
        CHECK(load_agent_config("", {}).problems.front().starts_with(
            "command line: there is nothing to do: "));
    }

    TEST_CASE_FIXTURE(OptionsFile, "a file with the token, named by a flag, beats the environment")
    {
        options.overrides = {
            {"api.address", "a:1"}, {"api.token_file", folder.write("token", "from-file\n")}};
        options.environment = {{"SM_AGENT_API_TOKEN", "from-environment"}};
        CHECK(good("").api->token.reveal() == "from-file");
        options.overrides["api.tolken_file"] = "x";
        CHECK(problem("") == "command line: api.tolken_file: is not an option");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a wrong value is named with file, line and path")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"log: {level: loud}",
                "log.level: \"loud\" is not one of error, warning, info, debug, trace"},
            {"log: {level: [a]}", "log.level: must be a single value, not a list or a mapping"},
            {"log: quiet", "log: must be a mapping of keys to values"},
            {"log: {lewel: info}", "log.lewel: is not an option; did you mean level?"},
            {"logg: {}", "logg: is not an option; did you mean log?"},
            {"xylophone: 1", "xylophone: is not an option"},
            {"log: {level: info, level: debug}", "log.level: is there twice: keep one of them"},
            {"state_dir: ${NOWHERE}", "state_dir: the environment variable NOWHERE is not set; "
                                      "$${NOWHERE} stands for the text itself"},
            {"schedule: {start_spread: 5}", "schedule.start_spread: \"5\" is not a duration such "
                                            "as 250ms, 15s, 5m, 1h or 365d"},
            {"schedule: {starts_per_tick: 0}", "schedule.starts_per_tick: must be at least 1"},
            {"schedule: {max_in_flight: -1}", "schedule.max_in_flight: \"-1\" is not a count"},
            {"checkers: {http_body_bytes: 5MB}", "checkers.http_body_bytes: \"5MB\" is not a size "
                                                 "such as 1024, 64KiB, 4MiB or 1GiB"},
            {"checkers: {tcp_phases: yes}", "checkers.tcp_phases: \"yes\" is not true or false"},
            {"probe: {latitude: 91}", "probe.latitude: must lie between -90 and 90"},
            {"probe: {latitude: nan}", "probe.latitude: \"nan\" is not a number"},
            {"probe: {labels: {a: 1, b: 2, c: 3, d: 4}}",
                "probe.labels: are more than 3: keep 3 of them"},
            {"probe: {labels: {__x: 1}}", "probe.labels.__x: the name must not begin with __"},
            {"probe: {name: \"\"}",
                "probe.name: must not be empty; leave it out for the host name"},
            {"status: {listen: localhost}",
                "status.listen: \"localhost\" has no port: write host:port, or off"},
            {"publisher: {proxy: proxy:8080}",
                "publisher.proxy: is no absolute http or https URL, such as http://host:8080/path"},
            {"publisher: {max_queue_bytes: 1KiB}",
                "publisher.max_queue_bytes: must not be below request_bytes, 64KiB"},
            {"tenants: [{metrics: {push_url: \"http:///x\"}}]",
                "tenants[0].metrics.push_url: is no absolute http or https URL, such as "
                "http://host:8080/path"},
            {"tenants: [{id: 1}]",
                "tenants[0].metrics.push_url: is missing, and events.push_url too: give one"},
            {"tenants: {}", "tenants: must be a list"},
            {"tenants: [{max_log_labels: 9, events: {push_url: http://x}}]",
                "tenants[0].max_log_labels: must be at least 10"},
            {"? [a, b]\n: 1", "a key must be a single word, not a list or a mapping"},
        };
        for (const auto& [line, message] : table) {
            CAPTURE(line);
            CHECK(problem(with(line)) == fmt::format("sonde.yaml:2: {}", message));
        }
    }

    TEST_CASE_FIXTURE(OptionsFile, "all problems are reported, each at its own line")
    {
        const auto all = problems("log:\n  level: loud\nchecks: []\nprobe:\n  id: x\n  nam: y\n");
        REQUIRE(all.size() == 3);
        CHECK(all[0].starts_with("sonde.yaml:2: log.level: "));
        CHECK(all[1] == "sonde.yaml:5: probe.id: \"x\" is not an integer");
        CHECK(all[2] == "sonde.yaml:6: probe.nam: is not an option; did you mean name?");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a file that is no document of options is one clear problem")
    {
        CHECK(
            problem("") ==
            "sonde.yaml: there is nothing to do: one of api, checks, checks_files, control must be "
            "there");
        CHECK(problem("a: [1\nb: 2\n").starts_with("sonde.yaml:2: is no YAML: "));
        CHECK(problem("checks: []\n---\nchecks: []\n") ==
              "sonde.yaml:3: is a second document: a file holds one");
        CHECK(problem(", a\n") == "sonde.yaml:1: is a second document: a file holds one");
        CHECK(problem("checks: []\nx: \xFF\n") ==
              "sonde.yaml:2: is not UTF-8: save the file in that encoding");
        CHECK(load_agent_config(folder.path("absent"), options).problems.front() ==
              folder.path("absent") + ": No such file or directory");
        CHECK(load_agent_config(folder.path(""), options).problems.front() ==
              folder.path("") + ": is a directory");
    }

    TEST_CASE_FIXTURE(
        OptionsFile, "every key of the table is refused by name; its idle value is not")
    {
        for (const Unsupported& key : unsupported_keys()) {
            CAPTURE(key.path);
            std::string text{key.path};
            for (auto dot = text.find('.'); dot != std::string::npos; dot = text.find('.'))
                text.replace(dot, 1, ": {");
            const auto open = static_cast<std::size_t>(std::count(text.begin(), text.end(), '{'));
            const auto refused = [&](std::string_view value) {
                const auto all =
                    problems(with(text + fmt::format(": {}", value) + std::string(open, '}')));
                return std::count_if(all.begin(), all.end(), [&](const std::string& line) {
                    return line.starts_with(
                        fmt::format("sonde.yaml:2: {}: not supported yet", key.path));
                });
            };
            CHECK(refused("strange") == 1);
            CHECK(refused("null") == 0);
            if (!key.accepted.empty())
                CHECK(refused(key.accepted) == 0);
        }
        CHECK(problem(with("status: {historie: 5}")) ==
              "sonde.yaml:2: status.historie: is not an option; did you mean history?");
        options.environment["SONDE_STATUS_HISTORY"] = "2";
        CHECK(problem(with("")) ==
              "SONDE_STATUS_HISTORY: status.history: not supported yet: leave it out");
    }
}

}  // namespace
}  // namespace sonde::config
