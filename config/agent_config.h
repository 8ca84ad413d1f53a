#pragma once

#include "agent/base/error.h"
#include "agent/base/host_port.h"
#include "agent/base/ip_network.h"
#include "agent/base/log.h"
#include "config/schema.h"
#include "config/secret.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

using namespace std::chrono_literals;
using Milliseconds = std::chrono::milliseconds;

// One struct for each section of the file; the initialisers are the documented defaults
// (config/README.md). Paths are complete: relative ones have been resolved while reading.

enum class LogFormat { automatic, json, text };

struct LogConfig {
    log::Level level = log::Level::warning;
    LogFormat format = LogFormat::automatic;

    bool operator==(const LogConfig&) const = default;
};

/// `api:` checks from a control plane.
struct ApiConfig {
    HostPort address;       ///< of the gRPC API; unused when `embedded`
    bool embedded = false;  ///< join the control plane of this process
    bool tls = true;
    std::string ca_file;      ///< empty: the system's trust store
    std::string server_name;  ///< empty: host of `address`
    Secret token;
    Milliseconds step_aside = 1min;  ///< how long SIGUSR1 and /disconnect give up the stream
    std::string state_file;          ///< last known checks and tenants; empty: not kept
    Milliseconds telemetry_every = 5min;
    std::size_t max_message_bytes = 16 << 20;

    bool operator==(const ApiConfig&) const = default;
};

/// `probe:` who this probe is, where the API does not say it.
struct ProbeConfig {
    std::int64_t id = 0;
    std::string name;  ///< host name
    std::string region;
    double latitude = 0;
    double longitude = 0;
    std::vector<std::pair<std::string, std::string>> labels;  ///< at most 3

    bool operator==(const ProbeConfig&) const = default;
};

/// One way out of `tenants:`; `push_url` is the complete URL.
struct RemoteConfig {
    std::string push_url;  ///< empty: these data are not sent
    std::string username;  ///< empty: no basic authentication
    Secret password;

    bool operator==(const RemoteConfig&) const = default;
};

/// An entry of `tenants:`, where the results of local checks go.
struct TenantConfig {
    std::int64_t id = 1;
    RemoteConfig metrics;
    RemoteConfig events;
    pb::LabelMode label_mode = pb::LABEL_MODE_PREFIXED;
    std::int64_t max_metric_labels = 22;
    std::int64_t max_log_labels = 15;

    bool operator==(const TenantConfig&) const = default;
};

struct ScheduleConfig {
    Milliseconds start_spread = 2min;  ///< the stable offset lies in [0, min(period, this))
    std::size_t max_in_flight = 0;     ///< runs at a time; 0: 80 % of the descriptor limit
    std::size_t starts_per_tick = 16;  ///< starts per millisecond
    Milliseconds republish_every = 2min;

    bool operator==(const ScheduleConfig&) const = default;
};

struct CheckersConfig {
    std::size_t http_body_bytes = 64 << 20;  ///< largest decoded body that patterns see
    bool tcp_phases = false;                 ///< publish probe_tcp_duration_seconds{phase}
    bool dns_retries = false;                ///< another query after a time-out (spec 02 §3.3)
    std::vector<IpNetwork> blocked_nets;     ///< addresses no check may connect to

    bool operator==(const CheckersConfig&) const = default;
};

/// `egress:` whether it is the target or our own way out that is down.
struct EgressConfig {
    struct Canary {
        enum class Kind { tcp, ping };
        Kind kind = Kind::tcp;
        std::string host;
        std::uint16_t port = 0;  ///< of tcp

        bool operator==(const Canary&) const = default;
    };
    std::vector<Canary> targets;  ///< empty: nobody is asked
    std::size_t quorum = 1;       ///< how many must answer
    Milliseconds timeout = 1s;    ///< of one question
    Milliseconds valid_for = 5s;  ///< of an answer
    bool withhold_failures = true;

    bool operator==(const EgressConfig&) const = default;
};

struct PublisherConfig {
    Milliseconds flush_every = 0s;         ///< longest wait for more records; 0: send when free
    std::size_t request_bytes = 64 << 10;  ///< compressed size at which a request is closed
    Milliseconds request_timeout = 5s;
    std::size_t max_queue_bytes = 4 << 20;  ///< in memory, per tenant and type
    Milliseconds max_queue_age = 1h;        ///< of what is on no disk
    Milliseconds shutdown_flush = 5s;       ///< longest last flush at SIGTERM
    std::string ca_file;                    ///< empty: the system's trust store
    std::optional<std::string> proxy;       ///< absent: from the environment; empty: none

    bool operator==(const PublisherConfig&) const = default;
};

/// `journal:` what is published and not yet delivered, on disk.
struct JournalConfig {
    bool enabled = true;  ///< false: memory only
    std::string directory;
    std::size_t max_bytes = 1 << 30;
    Milliseconds max_age = 24h;
    Milliseconds sync_every = 1s;  ///< 0: after each record

    bool operator==(const JournalConfig&) const = default;
};

/// `status:` what the process says of itself.
struct StatusConfig {
    std::optional<HostPort> listen = HostPort{"localhost", 4050};  ///< absent: off
    bool sticky_ready = false;
    bool results = false;  ///< `/results`: last results of all checks for scraping
    bool allow_reload = false;
    bool allow_disconnect = false;
    bool allow_log_level = false;
    std::optional<Milliseconds> push_every;  ///< own metrics to the probe's tenant; absent: off

    bool operator==(const StatusConfig&) const = default;
};

struct ListenConfig {
    std::vector<HostPort> listen;
    std::string tls_cert_file = {};
    std::string tls_key_file = {};
    bool allow_plain = false;

    bool operator==(const ListenConfig&) const = default;
};

/// `control:` the Synthetic Monitoring API.
struct ControlConfig {
    ListenConfig http{.listen = {{"localhost", 8080}}};
    ListenConfig grpc{.listen = {{"localhost", 4031}}};
    std::size_t max_body_bytes = 1 << 20;
    std::size_t max_bulk_body_bytes = 16 << 20;
    std::string database_file;  ///< of SQLite; empty: PostgreSQL
    std::string database_url;   ///< of PostgreSQL, without a password
    Secret database_password;
    std::size_t database_connections = 8;      ///< to PostgreSQL; one more listens
    Milliseconds changes_retention = 1h;       ///< how long change records are kept
    std::size_t changes_max_backlog = 10'000;  ///< a stream with more of them pending ends
    std::string directory_file;                ///< where the directory is, or
    std::string directory;                     ///< its content in YAML, written in place
    std::string directory_base;                ///< folder from which paths in the directory start
    bool extended_limits = false;              ///< `limits.profile: extended`
    enum class Reserved { unprefixed_only, never, always };
    Reserved reserved_labels = Reserved::unprefixed_only;
    std::vector<std::string> enabled_kinds = {"dns", "http", "ping", "tcp"};
    bool allow_custom_alert_sensitivity = false;
    bool disable_scripted_checks = false;  ///< `probes.default_capabilities`
    bool disable_browser_checks = false;
    std::int64_t max_tokens_per_tenant = 1000;
    /// Refused credentials of one client address; absent: any number.
    std::optional<std::int64_t> auth_failures_per_minute;
    Milliseconds presence_lease = 45s;
    std::string secrets_key_file;
    bool allow_inline_secrets = false;  ///< of the command line; for the directory

    bool operator==(const ControlConfig&) const = default;
};

/// All that `sonde run` is told.
struct AgentConfig {
    std::string state_dir;
    LogConfig log;
    std::optional<ApiConfig> api;
    ProbeConfig probe;
    /// Of `checks:` and `checks_files:`: the enabled ones, complete. What their kind makes of the
    /// settings is for checkers::validate to say.
    std::vector<pb::Check> checks;
    std::vector<TenantConfig> tenants;
    ScheduleConfig schedule;
    CheckersConfig checkers;
    EgressConfig egress;
    PublisherConfig publisher;
    JournalConfig journal;
    StatusConfig status;
    std::optional<ControlConfig> control;
};

/// What the command line and the environment add to a file.
struct LoadOptions {
    bool allow_inline_secrets = false;
    std::map<std::string, std::string> environment;  ///< of the process
    std::map<std::string, std::string> overrides;    ///< flags: path of the key to its value
};

struct Loaded {
    AgentConfig config;
    std::vector<std::string> problems;  ///< "sonde.yaml:3: api.adress: is not an option; …"
    std::vector<std::string> warnings;  ///< "sonde.yaml:9: api.token_file: others can read it"
};

/// Reads the file, the environment and the flags (spec 07 §1); an empty `file` stands for none, and
/// relative paths start where the process did. Reports every problem, not just the first; `config`
/// is usable only when there is none.
Loaded load_agent_config(const std::string& file, const LoadOptions& options);

/// The environment of this process, for LoadOptions.
std::map<std::string, std::string> process_environment();

}  // namespace sonde::config
