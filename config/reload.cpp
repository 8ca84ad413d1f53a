#include "config/reload.h"

#include "config/values.h"

#include <array>
#include <iterator>

namespace sonde::config {
namespace {

/// A key that is fixed while the process runs. The value as it is printed stands for the value:
/// two that print alike are alike.
template <class Part>
struct Fixed {
    std::string_view key;
    std::string (*value)(const Part&);
};

std::string word(bool value)
{
    return value ? "true" : "false";
}

/// An empty text says nothing in "( → x)".
std::string or_not_set(const std::string& text)
{
    return text.empty() ? "not set" : text;
}

std::string join(const std::vector<HostPort>& addresses)
{
    std::vector<std::string> texts;
    for (const HostPort& address : addresses)
        texts.push_back(address.text());
    return fmt::format("{}", fmt::join(texts, ", "));
}

std::string reserved(ControlConfig::Reserved rule)
{
    constexpr std::array words{"unprefixed_only", "never", "always"};
    return words.at(static_cast<std::size_t>(rule));
}

constexpr Fixed<AgentConfig> of_the_process[] = {
    {"state_dir", [](const AgentConfig& c) { return c.state_dir; }},
    {"publisher.ca_file", [](const AgentConfig& c) { return or_not_set(c.publisher.ca_file); }},
    {"journal.enabled", [](const AgentConfig& c) { return word(c.journal.enabled); }},
    {"journal.directory", [](const AgentConfig& c) { return c.journal.directory; }},
    {"status.listen",
        [](const AgentConfig& c) { return c.status.listen ? c.status.listen->text() : "off"; }},
    {"status.sticky_ready", [](const AgentConfig& c) { return word(c.status.sticky_ready); }},
    {"status.results", [](const AgentConfig& c) { return word(c.status.results); }},
    {"status.allow_reload", [](const AgentConfig& c) { return word(c.status.allow_reload); }},
    {"status.allow_disconnect",
        [](const AgentConfig& c) { return word(c.status.allow_disconnect); }},
    {"status.allow_log_level", [](const AgentConfig& c) { return word(c.status.allow_log_level); }},
    {"status.push_every",
        [](const AgentConfig& c) {
            return c.status.push_every ? print_duration(*c.status.push_every) : "off";
        }},
};

constexpr Fixed<ApiConfig> of_the_api[] = {
    {"api.address",
        [](const ApiConfig& c) { return c.embedded ? std::string{"not set"} : c.address.text(); }},
    {"api.embedded", [](const ApiConfig& c) { return word(c.embedded); }},
    {"api.tls", [](const ApiConfig& c) { return word(c.tls); }},
    {"api.ca_file", [](const ApiConfig& c) { return or_not_set(c.ca_file); }},
    {"api.server_name", [](const ApiConfig& c) { return or_not_set(c.server_name); }},
    {"api.step_aside", [](const ApiConfig& c) { return print_duration(c.step_aside); }},
    {"api.state_file",
        [](const ApiConfig& c) { return c.state_file.empty() ? "off" : c.state_file; }},
    {"api.telemetry_every", [](const ApiConfig& c) { return print_duration(c.telemetry_every); }},
    {"api.max_message_bytes", [](const ApiConfig& c) { return print_size(c.max_message_bytes); }},
};

// The control plane keeps the options it was started with; only the file of its directory is read
// again when it changes, whatever the options say.
constexpr Fixed<ControlConfig> of_the_control_plane[] = {
    {"control.http.listen", [](const ControlConfig& c) { return join(c.http.listen); }},
    {"control.http.tls_cert_file",
        [](const ControlConfig& c) { return or_not_set(c.http.tls_cert_file); }},
    {"control.http.tls_key_file",
        [](const ControlConfig& c) { return or_not_set(c.http.tls_key_file); }},
    {"control.http.allow_plain", [](const ControlConfig& c) { return word(c.http.allow_plain); }},
    {"control.http.max_body_bytes",
        [](const ControlConfig& c) { return print_size(c.max_body_bytes); }},
    {"control.http.max_bulk_body_bytes",
        [](const ControlConfig& c) { return print_size(c.max_bulk_body_bytes); }},
    {"control.grpc.listen", [](const ControlConfig& c) { return join(c.grpc.listen); }},
    {"control.grpc.tls_cert_file",
        [](const ControlConfig& c) { return or_not_set(c.grpc.tls_cert_file); }},
    {"control.grpc.tls_key_file",
        [](const ControlConfig& c) { return or_not_set(c.grpc.tls_key_file); }},
    {"control.grpc.allow_plain", [](const ControlConfig& c) { return word(c.grpc.allow_plain); }},
    {"control.database.url",
        [](const ControlConfig& c) {
            return c.database_url.empty() ? "sqlite:" + c.database_file : c.database_url;
        }},
    {"control.database.connections",
        [](const ControlConfig& c) { return fmt::to_string(c.database_connections); }},
    {"control.directory_file", [](const ControlConfig& c) { return or_not_set(c.directory_file); }},
    {"control.limits.profile",
        [](const ControlConfig& c) -> std::string {
            return c.extended_limits ? "extended" : "contract";
        }},
    {"control.labels.reserved", [](const ControlConfig& c) { return reserved(c.reserved_labels); }},
    {"control.checks.enabled_kinds",
        [](const ControlConfig& c) { return fmt::format("{}", fmt::join(c.enabled_kinds, ", ")); }},
    {"control.checks.allow_custom_alert_sensitivity",
        [](const ControlConfig& c) { return word(c.allow_custom_alert_sensitivity); }},
    {"control.probes.default_capabilities.disable_scripted_checks",
        [](const ControlConfig& c) { return word(c.disable_scripted_checks); }},
    {"control.probes.default_capabilities.disable_browser_checks",
        [](const ControlConfig& c) { return word(c.disable_browser_checks); }},
    {"control.tokens.max_per_tenant",
        [](const ControlConfig& c) { return fmt::to_string(c.max_tokens_per_tenant); }},
    {"control.throttle.auth_failures_per_minute",
        [](const ControlConfig& c) {
            return c.auth_failures_per_minute ? fmt::to_string(*c.auth_failures_per_minute) : "off";
        }},
    {"control.presence.lease",
        [](const ControlConfig& c) { return print_duration(c.presence_lease); }},
    {"control.changes.retention",
        [](const ControlConfig& c) { return print_duration(c.changes_retention); }},
    {"control.changes.max_backlog",
        [](const ControlConfig& c) { return fmt::to_string(c.changes_max_backlog); }},
    {"control.secrets.key_file", [](const ControlConfig& c) { return c.secrets_key_file; }},
};

std::string line(std::string_view key, std::string_view from, std::string_view to)
{
    return fmt::format("{}: needs a restart ({} → {})", key, from, to);
}

template <class Part, std::size_t N>
void compare(const Fixed<Part> (&rows)[N], const Part& running, const Part& wanted,
    std::vector<std::string>& lines)
{
    for (const Fixed<Part>& row : rows)
        if (const auto from = row.value(running), to = row.value(wanted); from != to)
            lines.push_back(line(row.key, from, to));
}

/// A section that switches a part of the process on.
template <class Part, std::size_t N>
void compare_part(std::string_view key, const Fixed<Part> (&rows)[N],
    const std::optional<Part>& running, const std::optional<Part>& wanted,
    std::vector<std::string>& lines)
{
    if (running && wanted)
        compare(rows, *running, *wanted, lines);
    else if (running || wanted)
        lines.push_back(line(key, running ? "on" : "off", wanted ? "on" : "off"));
}

}  // namespace

std::vector<std::string> needs_restart(const AgentConfig& running, const AgentConfig& wanted)
{
    std::vector<std::string> lines;
    compare(of_the_process, running, wanted, lines);
    // A URL may hold a password, and a directory those of users.
    if (running.publisher.proxy != wanted.publisher.proxy)
        lines.emplace_back("publisher.proxy: needs a restart");
    compare_part("api", of_the_api, running.api, wanted.api, lines);
    if (running.api && wanted.api && wanted.api->embedded && running.probe != wanted.probe)
        lines.emplace_back("probe: needs a restart where api.embedded is on");
    compare_part("control", of_the_control_plane, running.control, wanted.control, lines);
    if (running.control && wanted.control &&
        running.control->directory != wanted.control->directory)
        lines.emplace_back("control.directory: needs a restart; a directory_file does not");
    if (running.control && wanted.control &&
        running.control->database_password != wanted.control->database_password)
        lines.emplace_back("control.database.password: needs a restart");
    return lines;
}

}  // namespace sonde::config
