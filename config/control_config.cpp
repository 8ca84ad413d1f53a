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
        section.problem("listen", "must name at least one address");
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
    section.read_url("public_url", config.public_url);
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

void read_database(Section section, const std::string& state_dir, ControlConfig& config)
{
    constexpr std::string_view scheme = "sqlite:";
    std::string url = "sqlite:control.db";
    section.read("url", url);
    if (url.starts_with("postgresql:") || url.starts_with("postgres:"))
        section.problem("url", "postgresql: not supported yet, only sqlite:PATH");
    else if (!url.starts_with(scheme) || url.size() == scheme.size())
        section.problem("url", "must be sqlite:PATH");
    else
        config.database_file = absolute(url.substr(scheme.size()), state_dir);
}

void read_directory(Section& section, ControlConfig& config)
{
    section.read_path("directory_file", config.directory_file);
    Reading& reading = section.reading();
    reading.known.emplace(section.path_of("directory"), "");
    config.directory_base = reading.directory;
    const auto in_place = section.node("directory");
    if (in_place && !in_place.IsNull() && !in_place.IsMap())
        return section.problem("directory", "must be a mapping");
    if (in_place && in_place.IsMap())  // JSON is YAML, and keeps apart what was quoted
        config.directory = yaml_to_json(in_place, reading, section.path_of("directory"), nullptr);
    if (!config.directory_file.empty())
        config.directory_base = std::filesystem::path{config.directory_file}.parent_path().string();
    if (!config.directory.empty() && !config.directory_file.empty())
        section.problem("directory_file", "is given together with directory");
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
            section.problem("enabled_kinds", fmt::format("{}: not supported yet", kind));
        else if (!in(kinds, kind))
            section.problem("enabled_kinds", fmt::format("\"{}\" is no kind of check", kind));
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
    read_presence(section.child("presence"), config);
    config.secrets_key_file = "secrets.key";
    section.child("secrets").read_path("key_file", config.secrets_key_file, state_dir);
    config.secrets_key_file = absolute(config.secrets_key_file, state_dir);
}

}  // namespace sonde::config
