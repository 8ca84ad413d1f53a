// `api`, `probe` and `tenants`: this probe, whom it serves and where the results go.
#include "agent/base/text.h"
#include "config/sections.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <filesystem>
#include <set>

namespace sonde::config {
namespace {

constexpr std::size_t most_probe_labels = 3;
constexpr std::array label_modes{Word{"prefixed", pb::LABEL_MODE_PREFIXED},
    Word{"dual_write", pb::LABEL_MODE_DUAL_WRITE}, Word{"unprefixed", pb::LABEL_MODE_UNPREFIXED}};

/// Flag, SM_AGENT_API_TOKEN, API_TOKEN, the key, the credential `api-token` (spec 07 §3.1).
void read_token(Section& section, Secret& token)
{
    const Reading& reading = section.reading();
    section.read_secret("token", token);
    for (const char* flag : {"token", "token_file"})
        if (reading.overrides.contains(section.path_of(flag)))
            return;
    for (const char* name : {"SM_AGENT_API_TOKEN", "API_TOKEN"})
        if (const auto value = reading.variable(name); value && !value->empty()) {
            token = Secret{*value};
            return;
        }
    const auto directory = reading.variable("CREDENTIALS_DIRECTORY");
    if (!token.empty() || section.has("token") || section.has("token_file") || !directory)
        return;
    if (auto value = read_whole(absolute("api-token", *directory))) {
        if (value->ends_with('\n'))
            value->pop_back();
        token = Secret{std::move(*value)};
    }
}

void read_remote(Section section, RemoteConfig& config)
{
    section.read_url("push_url", config.push_url);
    section.read("username", config.username);
    section.read_secret("password", config.password);
}

void read_tenant(Section section, TenantConfig& config)
{
    section.read("id", config.id);
    read_remote(section.child("metrics"), config.metrics);
    read_remote(section.child("events"), config.events);
    section.read_word<pb::LabelMode>("label_mode", config.label_mode, label_modes);
    section.read("max_metric_labels", config.max_metric_labels);
    section.read("max_log_labels", config.max_log_labels);
    if (config.id == 0)
        section.problem("id", "must not be 0; the default is 1");
    if (config.max_metric_labels < 12)
        section.problem("max_metric_labels", "must be at least 12");
    if (config.max_log_labels < 10)
        section.problem("max_log_labels", "must be at least 10");
    if (config.metrics.push_url.empty() && config.events.push_url.empty())
        section.problem("metrics.push_url", "is missing, and events.push_url too: give one");
}

std::string host_name()
{
    std::array<char, HOST_NAME_MAX + 1> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void read_probe_labels(Section& section, ProbeConfig& config)
{
    Reading& reading = section.reading();
    const std::string path = section.path_of("labels");
    reading.known.emplace(path, "");
    const auto labels = section.node("labels");
    if (!labels || labels.IsNull())
        return;
    if (!labels.IsMap())
        return section.problem("labels", "must be a mapping of names to values");
    std::set<std::string> names;
    for (const auto& entry : labels) {
        const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
        const std::string where = fmt::format("{}.{}", path, name);
        const auto value = entry.second.IsScalar() ? reading.interpolate(entry.second.Scalar())
                                                   : error("bad_value", "must be a single value");
        if (!value)
            reading.problem(entry.first, where, value.error().message);
        else if (const std::string wrong = bad_label(name, *value); !wrong.empty())
            reading.problem(entry.first, where, wrong);
        else if (!names.insert(name).second)
            reading.problem(entry.first, where, "is there twice: keep one of them");
        else
            config.labels.emplace_back(name, *value);
    }
    if (labels.size() > most_probe_labels)
        section.problem(
            "labels", fmt::format("are more than {0}: keep {0} of them", most_probe_labels));
}

bool is_clean(std::string_view text)
{
    return std::none_of(text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// `off` keeps nothing.
void read_state_file(Section& section, const std::string& state_dir, std::string& file)
{
    file = "api.state";
    section.read("state_file", file);
    if (file.empty())
        section.problem("state_file", "must be a path, or off");
    file = file == "off" ? "" : absolute(file, state_dir);
}

}  // namespace

std::string bad_label(std::string_view name, std::string_view value)
{
    constexpr std::size_t longest = 128;
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (name.empty() || name.size() > longest ||
        name.find_first_not_of(letters) != std::string_view::npos)
        return "the name must be 1 to 128 of A-Z a-z 0-9 _";
    if (name.starts_with("__"))
        return "the name must not begin with __";
    if (value.empty() || value.size() > longest)
        return "the value must have 1 to 128 bytes";
    return is_clean(value) ? "" : "the value must not have control characters";
}

void read_api(Section section, const std::string& state_dir, ApiConfig& config)
{
    section.read("address", config.address);
    section.read("embedded", config.embedded);
    section.read("tls", config.tls);
    section.read_path("ca_file", config.ca_file);
    section.read("server_name", config.server_name);
    const auto before = section.reading().problems.size();
    read_token(section, config.token);
    if (!config.embedded && config.token.empty() && section.reading().problems.size() == before)
        section.problem("token", "is required: token_file (flag -api-token-file), "
                                 "SM_AGENT_API_TOKEN, or the credential api-token");
    section.read("step_aside", config.step_aside);
    read_state_file(section, state_dir, config.state_file);
    section.read("telemetry_every", config.telemetry_every);
    section.read_bytes("max_message_bytes", config.max_message_bytes);
    if (config.embedded && section.has("address"))
        section.problem("embedded", "is given together with address: keep one of them");
    if (!config.embedded && !section.has("address"))
        section.problem("address", "is required: host:port of the API, or embedded: true");
    else if (!config.embedded && (config.address.host.empty() || config.address.port == 0))
        section.problem("address", "must name a host and a port: host:port");
    if (config.max_message_bytes == 0 || config.max_message_bytes > INT_MAX)
        section.problem("max_message_bytes", "must lie between 1 and 2147483647");
    section.at_least("step_aside", config.step_aside, 1s);
    section.at_least("telemetry_every", config.telemetry_every, 1s);
}

void read_probe(Section section, ProbeConfig& config)
{
    config.name = host_name();
    section.read("id", config.id);
    section.read("name", config.name);
    section.read("region", config.region);
    section.read("latitude", config.latitude);
    section.read("longitude", config.longitude);
    read_probe_labels(section, config);
    for (const auto& [key, text] : {std::pair{"name", &config.name}, {"region", &config.region}})
        if (text->size() > 128 || !is_clean(*text))
            section.problem(key, "must have at most 128 bytes and no control characters");
    if (config.name.empty())
        section.problem("name", "must not be empty; leave it out for the host name");
    if (!(config.latitude >= -90 && config.latitude <= 90))
        section.problem("latitude", "must lie between -90 and 90");
    if (!(config.longitude >= -180 && config.longitude <= 180))
        section.problem("longitude", "must lie between -180 and 180");
}

void read_tenants(Section& top, std::vector<TenantConfig>& tenants)
{
    Reading& reading = top.reading();
    const auto list = top.node("tenants");
    if (!list || list.IsNull())
        return;
    if (!list.IsSequence())
        return top.problem("tenants", "must be a list");
    std::set<std::int64_t> ids;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string path = fmt::format("tenants[{}]", i);
        read_tenant(Section{reading, list[i], path}, tenants.emplace_back());
        if (const auto id = tenants.back().id; !ids.insert(id).second)
            reading.problem(list[i], path + ".id",
                fmt::format("{} is there twice: each tenant needs an id of its own", id));
    }
}

}  // namespace sonde::config
