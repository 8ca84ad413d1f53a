#include "agent/cli/ctl/connection.h"

#include "config/section.h"

#include <CLI/CLI.hpp>

#include <filesystem>

namespace sonde::cli::ctl {
namespace {

using Environment = std::map<std::string, std::string>;

std::string value_of(const Environment& environment, const std::string& name)
{
    const auto found = environment.find(name);
    return found == environment.end() ? "" : found->second;
}

/// XDG Base Directory Specification: a relative XDG_CONFIG_HOME does not count.
std::string usual_file(const Environment& environment)
{
    std::string folder = value_of(environment, "XDG_CONFIG_HOME");
    if (!folder.starts_with('/')) {
        const std::string home = value_of(environment, "HOME");
        if (home.empty())
            return {};
        folder = home + "/.config";
    }
    const std::string file = folder + "/sonde/sonde.yaml";
    std::error_code unknown;
    return std::filesystem::exists(file, unknown) ? file : "";
}

/// Relative to where the command is given, not to a file.
std::string from_here(const std::string& path)
{
    std::error_code unknown;
    const auto here = std::filesystem::current_path(unknown);
    return config::absolute(path, unknown ? "/" : here.string());
}

std::map<std::string, std::string> overrides_of(const ConnectionFlags& flags)
{
    std::map<std::string, std::string> overrides;
    if (!flags.url.empty())
        overrides["ctl.url"] = flags.url;
    if (!flags.token_file.empty())
        overrides["ctl.token_file"] = from_here(flags.token_file);
    if (!flags.ca_file.empty())
        overrides["ctl.ca_file"] = from_here(flags.ca_file);
    return overrides;
}

/// Whoever copies the address out of a documentation has the API's path behind it.
std::string without_api_path(std::string url)
{
    const auto drop = [&url](std::string_view end) {
        if (url.ends_with(end))
            url.erase(url.size() - end.size());
    };
    drop("/");
    drop("/api/v1");
    drop("/");
    return url;
}

}  // namespace

void add_connection_flags(CLI::App& verb, ConnectionFlags& flags)
{
    constexpr auto group = "Of the API";
    verb.add_option("--url", flags.url, "Its HTTP address, https://api.example.org")->group(group);
    verb.add_option("--token-file", flags.token_file, "File with the token to send")
        ->type_name("FILE")
        ->group(group);
    verb.add_option("--ca-file", flags.ca_file, "File of trusted certificates (PEM)")
        ->type_name("FILE")
        ->group(group);
    verb.add_option("--config", flags.config_file,
            "File with a section ctl (default sonde/sonde.yaml below $XDG_CONFIG_HOME)")
        ->type_name("FILE")
        ->group(group);
}

FoundConnection find_connection(const ConnectionFlags& flags, const Environment& environment)
{
    const std::string file =
        flags.config_file.empty() ? usual_file(environment) : flags.config_file;
    config::Reading reading{file, std::filesystem::path{from_here(file)}.parent_path().string(),
        environment, overrides_of(flags)};
    if (!flags.token_file.empty())  // a flag wins over a variable, in whatever form that is
        reading.environment.erase("SONDE_CTL_TOKEN");
    YAML::Node root;
    if (!file.empty())
        root = reading.load().value_or(YAML::Node{});
    FoundConnection found;
    auto& to = found.connection;
    if (!root.IsNull() && !root.IsMap())
        reading.problem(root, "", "must be a mapping with a section ctl");
    if (reading.problems.empty()) {
        config::Section section{reading, root.IsMap() ? root["ctl"] : root, "ctl"};
        section.read_url("url", to.url);
        section.read_secret("token", to.token);
        section.read_path("ca_file", to.ca_file);
    }
    to.url = without_api_path(std::move(to.url));
    found.problems = std::move(reading.problems);
    found.warnings = std::move(reading.warnings);
    if (!found.problems.empty())
        return found;
    if (to.url.empty())
        found.problems.emplace_back("whom to ask? Give --url, SONDE_CTL_URL, or ctl.url in a file");
    if (to.token.empty())
        found.problems.emplace_back("there is no token: give --token-file, SONDE_CTL_TOKEN_FILE or "
                                    "SONDE_CTL_TOKEN, or ctl.token_file in a file");
    return found;
}

}  // namespace sonde::cli::ctl
