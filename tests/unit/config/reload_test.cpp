#include "config/reload.h"
#include "config/sections.h"
#include "tests/unit/config/load_fixture.h"

namespace sonde::config {
namespace {

using tests::OptionsFile;

/// A key, another value than that of `base`, and what is said of the change: nothing where it can
/// be made in place, else the line behind "KEY: needs a restart".
struct Change {
    std::string_view key;
    std::string_view value;
    std::optional<std::string_view> refused = {};
};

constexpr std::string_view base = R"(
state_dir: /state
api: {address: "a:1", token: "${T}"}
control: {directory_file: /directory.yaml}
tenants: [{metrics: {push_url: "http://x"}}]
)";

constexpr Change in_place[] = {{"log.level", "info"}, {"log.format", "text"},
    {"api.token", "other"}, {"probe.id", "5"}, {"probe.name", "x"}, {"probe.region", "x"},
    {"probe.latitude", "1"}, {"probe.longitude", "1"}, {"checks_files", "/none-*.yaml"},
    {"schedule.start_spread", "1s"}, {"schedule.max_in_flight", "1"},
    {"schedule.starts_per_tick", "1"}, {"schedule.republish_every", "1m"},
    {"checkers.http_body_bytes", "1"}, {"checkers.tcp_phases", "true"},
    {"checkers.dns_retries", "true"}, {"checkers.blocked_nets", "10.0.0.0/8"},
    {"egress.targets", "tcp://a:1,ping://b"}, {"egress.quorum", "2"}, {"egress.timeout", "2s"},
    {"egress.valid_for", "2s"}, {"egress.withhold_failures", "false"},
    {"publisher.flush_every", "1s"}, {"publisher.request_bytes", "1KiB"},
    {"publisher.request_timeout", "1s"}, {"publisher.max_queue_bytes", "1MiB"},
    {"publisher.max_queue_age", "1m"}, {"publisher.shutdown_flush", "1s"},
    {"journal.max_bytes", "64MiB"}, {"journal.max_age", "1h"}, {"journal.sync_every", "0s"}};

constexpr Change fixed[] = {
    {"state_dir", "/other", " (/state → /other)"},
    {"api.address", "b:2", " (a:1 → b:2)"},
    {"api.tls", "false", " (true → false)"},
    {"api.ca_file", "/ca.pem", " (not set → /ca.pem)"},
    {"api.server_name", "api", " (not set → api)"},
    {"api.step_aside", "2m", " (1m → 2m)"},
    {"api.state_file", "off", " (/state/api.state → off)"},
    {"api.telemetry_every", "1m", " (5m → 1m)"},
    {"api.max_message_bytes", "1MiB", " (16MiB → 1MiB)"},
    {"publisher.ca_file", "/ca.pem", " (not set → /ca.pem)"},
    {"publisher.proxy", "http://user:password@proxy", ""},
    {"journal.enabled", "false", " (true → false)"},
    {"journal.directory", "queue", " (/state/journal → /state/queue)"},
    {"status.listen", ":4050", " (localhost:4050 → :4050)"},
    {"status.sticky_ready", "true", " (false → true)"},
    {"status.results", "true", " (false → true)"},
    {"status.allow_reload", "true", " (false → true)"},
    {"status.allow_disconnect", "true", " (false → true)"},
    {"status.allow_log_level", "true", " (false → true)"},
    {"status.push_every", "1m", " (off → 1m)"},
    {"control.http.listen", "localhost:1, [::1]:2", " (localhost:8080 → localhost:1, [::1]:2)"},
    {"control.http.allow_plain", "true", " (false → true)"},
    {"control.http.max_body_bytes", "2MiB", " (1MiB → 2MiB)"},
    {"control.http.max_bulk_body_bytes", "2MiB", " (16MiB → 2MiB)"},
    {"control.grpc.listen", "localhost:1", " (localhost:4031 → localhost:1)"},
    {"control.grpc.allow_plain", "true", " (false → true)"},
    {"control.database.url", "sqlite:x", " (sqlite:/state/control.db → sqlite:/state/x)"},
    {"control.database.connections", "3", " (8 → 3)"},
    {"control.directory_file", "/d.yaml", " (/directory.yaml → /d.yaml)"},
    {"control.limits.profile", "extended", " (contract → extended)"},
    {"control.labels.reserved", "never", " (unprefixed_only → never)"},
    {"control.checks.enabled_kinds", "dns,ping", " (dns, http, ping, tcp → dns, ping)"},
    {"control.checks.allow_custom_alert_sensitivity", "true", " (false → true)"},
    {"control.probes.default_capabilities.disable_scripted_checks", "true", " (false → true)"},
    {"control.probes.default_capabilities.disable_browser_checks", "true", " (false → true)"},
    {"control.tokens.max_per_tenant", "5", " (1000 → 5)"},
    {"control.throttle.auth_failures_per_minute", "5", " (off → 5)"},
    {"control.presence.lease", "1m", " (45s → 1m)"},
    {"control.changes.retention", "2h", " (1h → 2h)"},
    {"control.changes.max_backlog", "5", " (10000 → 5)"},
    {"control.secrets.key_file", "keys", " (/state/secrets.key → /state/keys)"},
};

/// Keys that no flag can set, or not alone; the next cases change them.
constexpr std::string_view in_files[] = {"api.embedded", "checks", "probe.labels",
    "control.directory", "control.database.password", "control.http.tls_cert_file",
    "control.http.tls_key_file", "control.grpc.tls_cert_file", "control.grpc.tls_key_file"};

struct Reload : OptionsFile {
    Reload() { options.environment["T"] = "token-of-the-probe"; }

    std::vector<std::string> lines(std::string_view before, std::string_view after)
    {
        return needs_restart(good(before), good(after));
    }

    std::vector<std::string> lines(const Change& change)
    {
        const auto running = good(base);
        options.overrides[std::string{change.key}] = change.value;
        if (change.key.ends_with(".quorum"))
            options.overrides["egress.targets"] = "ping://a,ping://b";
        if (change.key == "state_dir")  // which all that lies below would follow
            options.overrides.insert(
                {{"journal.directory", "/state/journal"}, {"api.state_file", "/state/api.state"},
                    {"control.database.url", "sqlite:/state/control.db"},
                    {"control.secrets.key_file", "/state/secrets.key"}});
        auto all = needs_restart(running, good(base));
        options.overrides.clear();
        return all;
    }
};

TEST_SUITE("config/reload")
{
    TEST_CASE_FIXTURE(Reload, "what can be changed in place is not reported")
    {
        for (const Change& change : in_place) {
            CAPTURE(change.key);
            CHECK(lines(change).empty());
        }
        CHECK(lines(base, base).empty());
        CHECK(lines("checks: []\n", "checks: [{job: a, target: 127.0.0.1, settings: {ping: {}}}]\n"
                                    "tenants: [{id: 5, events: {push_url: \"http://x\"}}]\n"
                                    "probe: {labels: {site: berlin}}\n")
                .empty());
    }

    TEST_CASE_FIXTURE(Reload, "what cannot is one line for each key, with both values")
    {
        for (const Change& change : fixed) {
            CAPTURE(change.key);
            const auto all = lines(change);
            REQUIRE(all.size() == 1);
            CHECK(all[0] == fmt::format("{}: needs a restart{}", change.key, *change.refused));
        }
        CHECK(lines("checks: []\n", base) ==
              std::vector<std::string>{"state_dir: needs a restart (/var/lib/sonde → /state)",
                  "journal.directory: needs a restart (/var/lib/sonde/journal → /state/journal)",
                  "api: needs a restart (off → on)", "control: needs a restart (off → on)"});
    }

    TEST_CASE_FIXTURE(Reload, "a directory in place, certificates and an embedded probe are fixed")
    {
        const std::string secret = "hash-of-a-password";
        const auto directory = lines("control: {directory: {version: 1}}\n",
            fmt::format("control: {{directory: {{version: 1, password: {}}}}}\n", secret));
        CHECK(directory == std::vector<std::string>{
                               "control.directory: needs a restart; a directory_file does not"});
        options.environment["P"] = secret;
        const std::string url = "database: {url: \"postgresql://x/y\"";
        CHECK(lines("control: {directory: {}, " + url + "}}\n",
                  "control: {directory: {}, " + url + ", password: \"${P}\"}}\n") ==
              std::vector<std::string>{"control.database.password: needs a restart"});
        const auto tls =
            lines("control: {directory: {}, grpc: {tls_cert_file: /a, tls_key_file: /b}}\n",
                "control: {directory: {}, http: {tls_cert_file: /c, tls_key_file: /d}}\n");
        CHECK(tls ==
              std::vector<std::string>{"control.http.tls_cert_file: needs a restart (not set → /c)",
                  "control.http.tls_key_file: needs a restart (not set → /d)",
                  "control.grpc.tls_cert_file: needs a restart (/a → /c)",
                  "control.grpc.tls_key_file: needs a restart (/b → /d)"});
        CHECK(lines("api: {address: \"a:1\", token: \"${T}\"}\ncontrol: {directory: {}}\n",
                  "api: {embedded: true}\ncontrol: {directory: {}}\n") ==
              std::vector<std::string>{"api.address: needs a restart (a:1 → not set)",
                  "api.embedded: needs a restart (false → true)"});
        const std::string embedded = "api: {embedded: true}\ncontrol: {directory: {}}\n";
        CHECK(lines(embedded, embedded + "probe: {region: EMEA}\n") ==
              std::vector<std::string>{"probe: needs a restart where api.embedded is on"});
    }

    TEST_CASE_FIXTURE(Reload, "secrets are not printed")
    {
        for (const Change& change : fixed)
            for (const std::string& line : lines(change)) {
                CHECK(line.find("password") == std::string::npos);
                CHECK(line.find("token-of") == std::string::npos);
            }
    }

    TEST_CASE("every option stands in one of these tables")
    {
        const auto known = known_options();
        const auto stands_in = [](const auto& table, std::string_view key) {
            return std::count_if(std::begin(table), std::end(table),
                [&](const Change& change) { return change.key == key; });
        };
        for (const auto& [key, fallback] : known) {
            CAPTURE(key);
            const auto elsewhere = std::count(std::begin(in_files), std::end(in_files), key);
            if (!key.starts_with("tenants[]"))
                CHECK(stands_in(in_place, key) + stands_in(fixed, key) + elsewhere == 1);
        }
        for (const Change& change : fixed)
            CHECK(known.contains(std::string{change.key}));
    }
}

}  // namespace
}  // namespace sonde::config
