// `control`: the Synthetic Monitoring API (spec 07 §7).
#include "config/sections.h"
#include "config/yaml_json.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

namespace sonde::config {
namespace {

using Reserved = ControlConfig::Reserved;

constexpr std::array profiles{Word{"contract", false}, Word{"extended", true}};
constexpr std::array reserved_rules{Word{"unprefixed_only", Reserved::unprefixed_only},
    Word{"never", Reserved::never}, Word{"always", Reserved::always}};
constexpr std::array<std::string_view, 4> kinds{"dns", "http", "ping", "tcp"};
constexpr std::array<std::string_view, 5> later_kinds{
    "traceroute", "grpc", "scripted", "multihttp", "browser"};

bool is_loopback(const HostPort& address)
{
    boost::system::error_code no_literal;
    const auto literal = boost::asio::ip::make_address(address.host, no_literal);
    return no_literal ? address.host == "localhost" : literal.is_loopback();
}

void check_listener(Section& section, const ListenConfig& config)
{
    if (config.listen.empty())
        section.problem("listen", "must name at least one address, such as localhost:8080");
    if (config.tls_cert_file.empty() != config.tls_key_file.empty())
        section.problem(config.tls_cert_file.empty() ? "tls_cert_file" : "tls_key_file",
            "is missing: certificate and key go together");
    if (!config.tls_cert_file.empty() || config.allow_plain)
        return;
    for (const HostPort& address : config.listen)
        if (!is_loopback(address))
            section.problem(
                "listen", fmt::format("{} is not loopback: give tls_cert_file and tls_key_file, or "
                                      "allow_plain: true",
                              address.text()));
}

void read_http(Section section, ControlConfig& config)
{
    section.read("listen", config.http.listen);
    section.read_path("tls_cert_file", config.http.tls_cert_file);
    section.read_path("tls_key_file", config.http.tls_key_file);
    section.read("allow_plain", config.http.allow_plain);
    section.read_bytes("max_body_bytes", config.max_body_bytes);
    section.read_bytes("max_bulk_body_bytes", config.max_bulk_body_bytes);
    check_listener(section, config.http);
}

void read_grpc(Section section, ControlConfig& config)
{
    section.read("listen", config.grpc.listen);
    section.read_path("tls_cert_file", config.grpc.tls_cert_file);
    section.read_path("tls_key_file", config.grpc.tls_key_file);
    section.read("allow_plain", config.grpc.allow_plain);
    if (config.grpc.tls_cert_file.empty() && config.grpc.tls_key_file.empty()) {
        config.grpc.tls_cert_file = config.http.tls_cert_file;
        config.grpc.tls_key_file = config.http.tls_key_file;
    }
    check_listener(section, config.grpc);
}

/// What is wrong with the URL of a PostgreSQL database; empty: nothing that can be seen from here.
std::string problem_of(std::string_view url)
{
    const std::string_view rest = url.substr(url.find("://") + 3);
    const std::string_view path = rest.substr(0, rest.find('?'));
    const auto slash = path.find('/');
    const auto at = path.find('@');
    const bool blank = std::any_of(url.begin(), url.end(),
        [](char c) { return c <= ' ' || c > '~' || c == '"' || c == '\''; });
    if (path.substr(0, at == std::string_view::npos ? 0 : at).find(':') != std::string_view::npos ||
        rest.find("password=") != std::string_view::npos)
        return "must not hold a password: write database.password_file";
    if (slash == std::string_view::npos || slash + 1 == path.size())
        return "must be postgresql://USER@HOST:PORT/NAME, such as "
               "postgresql://sonde@localhost:5432/sonde";
    if (blank)
        return "must be percent-encoded, without blanks and quotes";
    return {};
}

void read_database(Section section, const std::string& state_dir, ControlConfig& config)
{
    constexpr std::string_view scheme = "sqlite:";
    std::string url = "sqlite:control.db";
    section.read("url", url);
    section.read_secret("password", config.database_password);
    section.read("connections", config.database_connections);
    if (config.database_connections < 1 || config.database_connections > 1000)
        section.problem("connections", "must lie between 1 and 1000");
    if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
        if (const std::string problem = problem_of(url); !problem.empty())
            section.problem("url", problem);
        config.database_url = url;
        return;
    }
    if (!config.database_password.empty())
        section.problem("password", "is of no use with SQLite: leave it out");
    if (!url.starts_with(scheme) || url.size() == scheme.size())
        section.problem("url", "must be sqlite:PATH, such as sqlite:control.db, or "
                               "postgresql://USER@HOST:PORT/NAME");
    else
        config.database_file = absolute(url.substr(scheme.size()), state_dir);
}

void read_changes(Section section, ControlConfig& config)
{
    section.read("retention", config.changes_retention);
    section.at_least("retention", config.changes_retention, 20min);
    section.read("max_backlog", config.changes_max_backlog);
    if (config.changes_max_backlog < 1)
        section.problem("max_backlog", "must be at least 1");
}

void read_directory(Section& section, ControlConfig& config)
{
    section.read_path("directory_file", config.directory_file);
    Reading& reading = section.reading();
    reading.known.emplace(section.path_of("directory"), "");
    config.directory_base = reading.directory;
    const auto in_place = section.node("directory");
    if (in_place && !in_place.IsNull() && !in_place.IsMap())
        return section.problem("directory", "must be a mapping with version: 1 and organizations");
    if (in_place && in_place.IsMap())  // JSON is YAML, and keeps apart what was quoted
        config.directory = yaml_to_json(in_place, reading, section.path_of("directory"), nullptr);
    if (!config.directory_file.empty())
        config.directory_base = std::filesystem::path{config.directory_file}.parent_path().string();
    if (!config.directory.empty() && !config.directory_file.empty())
        section.problem("directory_file", "is given together with directory: keep one of them");
    if (config.directory.empty() && config.directory_file.empty())
        section.problem("directory_file", "is required, or directory in its place");
}

void read_kinds(Section section, ControlConfig& config)
{
    section.read("enabled_kinds", config.enabled_kinds);
    section.read("allow_custom_alert_sensitivity", config.allow_custom_alert_sensitivity);
    const auto in = [](const auto& list, const std::string& kind) {
        return std::find(list.begin(), list.end(), kind) != list.end();
    };
    for (const std::string& kind : config.enabled_kinds)
        if (in(later_kinds, kind))
            section.problem(
                "enabled_kinds", fmt::format("{}: not supported yet: leave it out", kind));
        else if (!in(kinds, kind))
            section.problem("enabled_kinds", fmt::format("\"{}\" is no kind of check; there are {}",
                                                 kind, fmt::join(kinds, ", ")));
}

void read_probe_defaults(Section section, ControlConfig& config)
{
    Section capabilities = section.child("default_capabilities");
    capabilities.read("disable_scripted_checks", config.disable_scripted_checks);
    capabilities.read("disable_browser_checks", config.disable_browser_checks);
}

void read_tokens(Section section, ControlConfig& config)
{
    section.read("max_per_tenant", config.max_tokens_per_tenant);
    if (config.max_tokens_per_tenant < 1)
        section.problem("max_per_tenant", "must be at least 1");
}

void read_presence(Section section, ControlConfig& config)
{
    section.read("lease", config.presence_lease);
    if (config.presence_lease < 30s)
        section.problem("lease", "must be at least 30s");
}

}  // namespace

void read_control(Section section, const std::string& state_dir, ControlConfig& config)
{
    read_http(section.child("http"), config);
    read_grpc(section.child("grpc"), config);
    read_database(section.child("database"), state_dir, config);
    read_directory(section, config);
    section.child("limits").read_word<bool>("profile", config.extended_limits, profiles);
    section.child("labels").read_word<Reserved>("reserved", config.reserved_labels, reserved_rules);
    read_kinds(section.child("checks"), config);
    read_probe_defaults(section.child("probes"), config);
    read_tokens(section.child("tokens"), config);
    section.child("throttle").read("auth_failures_per_minute", config.auth_failures_per_minute);
    read_presence(section.child("presence"), config);
    read_changes(section.child("changes"), config);
    config.secrets_key_file = "secrets.key";
    section.child("secrets").read_path("key_file", config.secrets_key_file, state_dir);
    config.secrets_key_file = absolute(config.secrets_key_file, state_dir);
}

}  // namespace sonde::config
