#include "config/agent_config.h"

#include "config/section.h"
#include "config/sections.h"
#include "config/unsupported.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace sonde::config {
namespace {

constexpr std::array log_levels{Word{"error", log::Level::error},
    Word{"warning", log::Level::warning}, Word{"info", log::Level::info},
    Word{"debug", log::Level::debug}, Word{"trace", log::Level::trace}};
constexpr std::array log_formats{Word{"auto", LogFormat::automatic}, Word{"json", LogFormat::json},
    Word{"text", LogFormat::text}};

/// systemd may name several directories, separated by colons: the first is ours.
std::string default_state_dir(const Reading& reading)
{
    const std::string given = reading.variable("STATE_DIRECTORY").value_or("");
    return given.empty() ? "/var/lib/sonde" : given.substr(0, given.find(':'));
}

void read_log(Section section, LogConfig& config)
{
    section.read_word<log::Level>("level", config.level, log_levels);
    section.read_word<LogFormat>("format", config.format, log_formats);
}

/// Whether the file, a flag, or a variable of one of its keys switches this section on.
bool is_on(Section& top, const std::string& key)
{
    top.node(key);
    if (top.has(key))
        return true;
    const auto options = known_options();
    return std::any_of(options.begin(), options.end(), [&](const auto& option) {
        const std::string name = environment_name(option.first);
        return option.first.starts_with(key + '.') &&
               (top.reading().variable(name) || top.reading().variable(name + "_FILE"));
    });
}

void read_everything(Section& top, const JudgeCheck& judge, AgentConfig& config)
{
    Reading& reading = top.reading();
    config.state_dir = default_state_dir(reading);
    top.read_path("state_dir", config.state_dir);
    read_log(top.child("log"), config.log);
    if (is_on(top, "api"))
        read_api(top.child("api"), config.state_dir, config.api.emplace());
    read_probe(top.child("probe"), config.probe);
    read_tenants(top, config.tenants);
    read_checks(top, config.tenants, judge, config.checks);
    read_schedule(top.child("schedule"), config.schedule);
    read_checkers(top.child("checkers"), config.checkers);
    read_egress(top.child("egress"), config.egress);
    read_publisher(top.child("publisher"), config.publisher);
    read_journal(top.child("journal"), config.state_dir, config.publisher, config.journal);
    read_status(top.child("status"), config.status);
    if (is_on(top, "control")) {
        read_control(top.child("control"), config.state_dir, config.control.emplace());
        config.control->allow_inline_secrets = reading.allow_inline_secrets;
    }
    if (!config.api && !config.control && !top.has("checks") && !top.has("checks_files"))
        reading.problem({}, "",
            "there is nothing to do: one of api, checks, checks_files, control must be there");
    if (config.api && config.api->embedded && !config.control)
        top.problem(
            "api", "embedded needs the section control in the same file: add it, or give address");
}

bool is_unsupported(std::string_view path)
{
    const auto keys = unsupported_keys();
    return std::any_of(
        keys.begin(), keys.end(), [&](const Unsupported& key) { return key.path == path; });
}

/// Flags for keys that no section asked for.
void check_overrides(Reading& reading)
{
    for (const auto& [path, value] : reading.overrides)
        if (!reading.known.contains(path) && !reading.secret_files.contains(path) &&
            !is_unsupported(path))
            reading.problems.push_back(fmt::format("command line: {}: is not an option", path));
}

}  // namespace

Loaded load_agent_config(const std::string& file, const LoadOptions& options)
{
    return load_agent_config(file, options, nullptr);
}

Loaded load_agent_config(
    const std::string& file, const LoadOptions& options, const JudgeCheck& judge)
{
    Loaded loaded;
    std::error_code unknown;
    const bool no_file = file.empty();
    Reading reading{no_file ? "command line" : file,
        no_file ? std::filesystem::current_path(unknown).string()
                : std::filesystem::absolute(file, unknown).parent_path().string(),
        options.environment, options.overrides, options.allow_inline_secrets};
    const YAML::Node nothing{YAML::NodeType::Map};
    if (const auto root = no_file ? std::optional{nothing} : reading.load()) {
        {
            Section top{reading, *root, ""};
            read_everything(top, judge, loaded.config);
        }
        check_overrides(reading);
    }
    loaded.problems = std::move(reading.problems);
    loaded.warnings = std::move(reading.warnings);
    return loaded;
}

std::map<std::string, std::string> process_environment()
{
    std::map<std::string, std::string> variables;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const auto equals = text.find('=');
        if (equals != std::string_view::npos)
            variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return variables;
}

std::map<std::string, std::string> known_options()
{
    Reading reading{"", "", {}, {}, false};
    AgentConfig config;
    {
        Section top{reading, YAML::Load("{api: {}, control: {}, tenants: [{}]}"), ""};
        read_everything(top, nullptr, config);
    }
    constexpr std::string_view entry = "tenants[0]";
    std::map<std::string, std::string> out;
    for (const auto& [path, fallback] : reading.known)
        out.emplace(
            path.starts_with(entry) ? fmt::format("tenants[]{}", path.substr(entry.size())) : path,
            fallback);
    return out;
}

}  // namespace sonde::config
