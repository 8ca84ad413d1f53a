#include "config/agent_config.h"
#include "config/unsupported.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;

/// A file in which only the line to be tested can be wrong.
std::string with(std::string_view line)
{
    return fmt::format("checks: []\n{}\n", line);
}

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

    TEST_CASE_FIXTURE(OptionsFile, "flag beats environment beats file; null is the default")
    {
        const std::string_view text = "checks: []\nlog: {level: error}\nprobe: {region: null}\n";
        CHECK(good(text).log.level == log::Level::error);
        options.environment["SONDE_LOG_LEVEL"] = "info";
        options.environment["SONDE_UNHEARD_OF"] = "ignored";
        CHECK(good(text).log.level == log::Level::info);
        options.overrides["log.level"] = "trace";
        CHECK(good(text).log.level == log::Level::trace);
        options.overrides["log.level"] = "loud";
        CHECK(problem(text).starts_with("command line: log.level: "));
        options.overrides.clear();
        options.environment["SONDE_LOG_LEVEL"] = "loud";
        CHECK(problem(text).starts_with("SONDE_LOG_LEVEL: log.level: "));
        options.environment.clear();
        options.overrides["log.lewel"] = "info";
        CHECK(problem(text) == "command line: log.lewel: is not an option");
    }

    TEST_CASE_FIXTURE(OptionsFile, "the environment can give a list and switch a part on")
    {
        options.environment = {{"SONDE_API_ADDRESS", "api.example.org:4031"},
            {"SM_AGENT_API_TOKEN", "t"}, {"SONDE_CHECKS_FILES", ""}};
        const auto config = good("");
        REQUIRE(config.api.has_value());
        CHECK(config.api->address.host == "api.example.org");
        options.environment = {
            {"SONDE_API_UNHEARD_OF", "x"}, {"SONDE_CONTROL_HTTP_LISTEN", "127.0.0.1:1, [::1]:2"}};
        const auto control = good("control: {directory: {}, http: {listen: \"localhost:9\"}}");
        CHECK_FALSE(control.api.has_value());
        CHECK(control.control->http.listen == std::vector<HostPort>{{"127.0.0.1", 1}, {"::1", 2}});
    }

    TEST_CASE_FIXTURE(OptionsFile, "variables are put in, other dollar signs are left alone")
    {
        options.environment["NAME_1"] = "x";
        CHECK(good(with("probe: {name: \"a${NAME_1}b$${NAME_1}c${secrets.y}d${NAME_1\"}"))
                  .probe.name == "axb${NAME_1}c${secrets.y}d${NAME_1");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a secret in clear text is refused and not repeated")
    {
        const auto api = [&](std::string_view token) {
            return problem(fmt::format("api: {{address: \"a:1\", {}}}", token));
        };
        options.environment["TOKEN"] = "from-environment";
        CHECK(
            api("token: hunter2") ==
            "sonde.yaml:1: api.token: is a secret in clear text: write token_file: PATH or token: "
            "${NAME}");
        CHECK(api("token: \"x${TOKEN}\"").find("clear text") != std::string::npos);
        CHECK(good("api: {address: \"a:1\", token: \"${TOKEN}\"}").api->token.reveal() ==
              "from-environment");
        options.allow_inline_secrets = true;
        const auto config = good("api: {address: \"a:1\", token: hunter2}");
        CHECK(config.api->token.reveal() == "hunter2");
        CHECK(fmt::to_string(config.api->token) == "<redacted>");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a secret comes from a file or a credential")
    {
        folder.write("api-token", "from-credential\n");
        folder.write("open", "x\n\n");
        std::filesystem::permissions(folder.path("open"), std::filesystem::perms{0644});
        const auto open = load("api: {address: \"a:1\", token_file: open}");
        CHECK(open.config.api->token.reveal() == "x\n");
        REQUIRE(open.warnings.size() == 1);
        CHECK(open.warnings[0] ==
              "sonde.yaml:1: api.token_file: open: others can read it: chmod 600");
        CHECK(problems("api: {address: \"a:1\", token_file: absent}").front() ==
              "sonde.yaml:1: api.token_file: absent: No such file or directory");
        CHECK(problems("api: {address: \"a:1\", token_file: \"credential:api-token\"}").front() ==
              "sonde.yaml:1: api.token_file: there is no CREDENTIALS_DIRECTORY to look into: give "
              "a path, or LoadCredential= in the unit");
        options.environment["CREDENTIALS_DIRECTORY"] = folder.path("");
        CHECK(good("api: {address: \"a:1\", token_file: \"credential:api-token\"}")
                  .api->token.reveal() == "from-credential");
        CHECK(good("api: {address: \"a:1\"}").api->token.reveal() == "from-credential");
        options.environment["T"] = "t";
        CHECK(problem("api: {address: \"a:1\", token: \"${T}\", token_file: open}") ==
              "sonde.yaml:1: api.token: is given together with token_file: keep one of them");
    }

    TEST_CASE_FIXTURE(OptionsFile, "the token of the API is looked for in the documented order")
    {
        folder.write("file", "5");
        folder.write("api-token", "6");
        const std::string_view text = "api: {address: \"a:1\", token_file: file}";
        options.environment = {{"SM_AGENT_API_TOKEN", "2"}, {"API_TOKEN", "3"},
            {"SONDE_API_TOKEN", "4"}, {"CREDENTIALS_DIRECTORY", folder.path("")}};
        options.overrides["api.token"] = "1";
        const auto token = [&] { return good(text).api->token.reveal(); };
        CHECK(token() == "1");
        options.overrides.clear();
        CHECK(token() == "2");
        options.environment.erase("SM_AGENT_API_TOKEN");
        CHECK(token() == "3");
        options.environment.erase("API_TOKEN");
        CHECK(token() == "4");
        options.environment.erase("SONDE_API_TOKEN");
        CHECK(token() == "5");
        CHECK(good("api: {address: \"a:1\"}").api->token.reveal() == "6");
    }

    TEST_CASE_FIXTURE(OptionsFile, "api wants an address and a token, or to be embedded")
    {
        CHECK(problems("api: {}").size() == 2);
        CHECK(problem("api: {embedded: true}") ==
              "sonde.yaml:1: api: embedded needs the section control in the same file: add it, or "
              "give address");
        CHECK(good("api: {embedded: true}\ncontrol: {directory: {}}").api->embedded);
        CHECK(problem("api: {embedded: true, address: \"a:1\"}\ncontrol: {directory: {}}") ==
              "sonde.yaml:1: api.embedded: is given together with address: keep one of them");
        options.environment["API_TOKEN"] = "t";
        CHECK(problem("api: {address: \":4031\"}") ==
              "sonde.yaml:1: api.address: must name a host and a port: host:port");
    }

    TEST_CASE_FIXTURE(OptionsFile, "the control plane's options are read")
    {
        const auto config = good(R"(
state_dir: /state
control:
  http:
    listen: ["[::1]:0", "0.0.0.0:443"]
    tls_cert_file: c.pem
    tls_key_file: k.pem
    public_url: HTTPS://x
  grpc: {listen: "localhost:1"}
  database: {url: "sqlite:x.db"}
  directory_file: dir/directory.yaml
  limits: {profile: extended}
  labels: {reserved: always}
  checks: {enabled_kinds: [ping], allow_custom_alert_sensitivity: true}
  probes: {default_capabilities: {disable_scripted_checks: true}}
  tokens: {max_per_tenant: 5, unused_ttl: off}
  presence: {lease: 1m}
  secrets: {key_file: keys}
)");
        REQUIRE(config.control.has_value());
        const auto& control = *config.control;
        CHECK(control.http.listen == std::vector<HostPort>{{"::1", 0}, {"0.0.0.0", 443}});
        CHECK(control.http.tls_cert_file == folder.path("c.pem"));
        CHECK(control.grpc.tls_key_file == folder.path("k.pem"));
        CHECK(control.public_url == "HTTPS://x");
        CHECK(control.database_file == "/state/x.db");
        CHECK(control.directory_file == folder.path("dir/directory.yaml"));
        CHECK(control.directory_base == folder.path("dir"));
        CHECK(control.extended_limits);
        CHECK(control.reserved_labels == ControlConfig::Reserved::always);
        CHECK(control.enabled_kinds == std::vector<std::string>{"ping"});
        CHECK(control.allow_custom_alert_sensitivity);
        CHECK(control.disable_scripted_checks);
        CHECK_FALSE(control.disable_browser_checks);
        CHECK(control.max_tokens_per_tenant == 5);
        CHECK(control.presence_lease == 1min);
        CHECK(control.secrets_key_file == "/state/keys");
        CHECK(
            good("control: {directory: {}}").control->database_file == "/var/lib/sonde/control.db");
    }

    TEST_CASE_FIXTURE(OptionsFile, "a PostgreSQL database in place of the file")
    {
        options.environment["P"] = "secret";
        const auto config = good(R"(
control:
  database:
    url: "postgresql://sonde@db.example.org:5432/sonde?sslmode=verify-full"
    password: ${P}
    connections: 3
  changes: {retention: 2h, max_backlog: 7}
  directory: {}
)");
        const auto& control = *config.control;
        CHECK(control.database_file.empty());
        CHECK(control.database_url ==
              "postgresql://sonde@db.example.org:5432/sonde?sslmode=verify-full");
        CHECK(control.database_password.reveal() == "secret");
        CHECK(control.database_connections == 3);
        CHECK(control.changes_retention == 2h);
        CHECK(control.changes_max_backlog == 7);
    }

    TEST_CASE_FIXTURE(
        OptionsFile, "a directory in place keeps what was quoted, with variables put in")
    {
        options.environment["P"] = "\"secret";
        const auto config =
            good("control:\n  directory: {version: 1, name: \"1\", x: [\"${P}\"]}\n");
        CHECK(config.control->directory == R"({"name":"1","version":1,"x":["\"secret"]})");
        CHECK(config.control->directory_base + '/' == folder.path(""));
    }

    TEST_CASE_FIXTURE(OptionsFile, "wrong options of the control plane are named")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"http: {listen: \":80\"}",
                "control.http.listen: :80 is not loopback: give tls_cert_file and tls_key_file, or "
                "allow_plain: true"},
            {"http: {listen: []}",
                "control.http.listen: must name at least one address, such as localhost:8080"},
            {"grpc: {listen: 127.example.org:80}",
                "control.grpc.listen: 127.example.org:80 is not loopback: give tls_cert_file and "
                "tls_key_file, or allow_plain: true"},
            {"grpc: {tls_key_file: x}",
                "control.grpc.tls_cert_file: is missing: certificate and key go together"},
            {"database: {url: \"postgresql://x\"}",
                "control.database.url: must be postgresql://USER@HOST:PORT/NAME, such as "
                "postgresql://sonde@localhost:5432/sonde"},
            {"database: {url: \"postgresql://u:secret@x/n\"}",
                "control.database.url: must not hold a password: write database.password_file"},
            {"database: {url: \"postgresql://x/n?password=secret\"}",
                "control.database.url: must not hold a password: write database.password_file"},
            {"database: {url: \"postgresql://x/a b\"}",
                "control.database.url: must be percent-encoded, without blanks and quotes"},
            {"database: {url: \"postgresql://x/n\", connections: 0}",
                "control.database.connections: must lie between 1 and 1000"},
            {"database: {url: \"mysql:x\"}",
                "control.database.url: must be sqlite:PATH, such as sqlite:control.db, or "
                "postgresql://USER@HOST:PORT/NAME"},
            {"changes: {retention: 19m}", "control.changes.retention: must be at least 20m"},
            {"changes: {max_backlog: 0}", "control.changes.max_backlog: must be at least 1"},
            {"checks: {enabled_kinds: [dns, grpc]}",
                "control.checks.enabled_kinds: grpc: not supported yet: leave it out"},
            {"checks: {enabled_kinds: [smtp]}", "control.checks.enabled_kinds: \"smtp\" is no kind "
                                                "of check; there are dns, http, ping, tcp"},
            {"presence: {lease: 29s}", "control.presence.lease: must be at least 30s"},
            {"tokens: {max_per_tenant: 0}", "control.tokens.max_per_tenant: must be at least 1"},
            {"directory_file: x",
                "control.directory_file: is given together with directory: keep one of them"},
            {"store: {url: http://x}", "control.store.url: not supported yet: leave it out"},
        };
        for (const auto& [line, message] : table) {
            CAPTURE(line);
            CHECK(problem(fmt::format("control:\n  {}\n  directory: {{}}\n", line)) ==
                  fmt::format("sonde.yaml:2: {}", message));
        }
        CHECK(problem("control: {http: {allow_plain: true, listen: \":80\"}}") ==
              "sonde.yaml:1: control.directory_file: is required, or directory in its place");
    }

    TEST_CASE("the environment of this process is read")
    {
        const auto variables = process_environment();
        REQUIRE(variables.contains("PATH"));
        CHECK(variables.at("PATH") == std::getenv("PATH"));
    }
}

}  // namespace
}  // namespace sonde::config
