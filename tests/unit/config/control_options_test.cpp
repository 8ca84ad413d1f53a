#include "config/agent_config.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;

TEST_SUITE("config")
{
    TEST_CASE_FIXTURE(OptionsFile, "the control plane's options are read")
    {
        const auto config = good(R"(
state_dir: /state
control:
  http:
    listen: ["[::1]:0", "0.0.0.0:443"]
    tls_cert_file: c.pem
    tls_key_file: k.pem
  grpc: {listen: "localhost:1"}
  database: {url: "sqlite:x.db"}
  directory_file: dir/directory.yaml
  limits: {profile: extended}
  labels: {reserved: always}
  checks: {enabled_kinds: [ping], allow_custom_alert_sensitivity: true}
  probes: {default_capabilities: {disable_scripted_checks: true}}
  tokens: {max_per_tenant: 5, unused_ttl: off}
  throttle: {auth_failures_per_minute: 9}
  presence: {lease: 1m}
  secrets: {key_file: keys}
)");
        REQUIRE(config.control.has_value());
        const auto& control = *config.control;
        CHECK(control.http.listen == std::vector<HostPort>{{"::1", 0}, {"0.0.0.0", 443}});
        CHECK(control.http.tls_cert_file == folder.path("c.pem"));
        CHECK(control.grpc.tls_key_file == folder.path("k.pem"));
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
        CHECK(control.auth_failures_per_minute == 9);
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
            {"throttle: {auth_failures_per_minute: 0}",
                "control.throttle.auth_failures_per_minute: \"0\" is neither an integer of 1 or "
                "more nor off"},
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
}

}  // namespace
}  // namespace sonde::config
