#include "agent/cli/doctor.h"

#include "agent/cli/cli.h"
#include "checkers/registry.h"
#include "config/judge_check.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

namespace sonde::cli {
namespace {

std::string_view name_of(Finding::State state)
{
    static constexpr std::array<std::string_view, 4> names{"ok", "warning", "bad", "skipped"};
    return names[static_cast<std::size_t>(state)];
}

/// The configuration as far as it can be read, and what is wrong with it.
std::pair<config::AgentConfig, Findings> examine_config(
    const std::string& file, const config::LoadOptions& options)
{
    auto loaded = config::load_agent_config(file, options, checkers::validate);
    Findings findings;
    for (const std::string& problem : loaded.problems)
        findings.push_back({"config", Finding::State::bad, problem, "mend it in the file"});
    for (const std::string& warning : loaded.warnings)
        findings.push_back({"config", Finding::State::warning, warning, {}});
    if (findings.empty())
        findings.push_back({"config", Finding::State::ok, file, {}});
    return {std::move(loaded.config), std::move(findings)};
}

void append(Findings& to, Findings more)
{
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

bool is_bad(const Finding& finding)
{
    return finding.state == Finding::State::bad;
}

}  // namespace

std::string render_findings(const Findings& findings, bool json)
{
    std::string out;
    if (json) {
        nlohmann::ordered_json all{
            {"schema_version", 1}, {"findings", nlohmann::ordered_json::array()}};
        for (const Finding& finding : findings)
            all["findings"].push_back({{"subject", finding.subject},
                {"state", name_of(finding.state)}, {"said", finding.said}, {"fix", finding.fix}});
        return all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    }
    for (const Finding& finding : findings) {
        out +=
            fmt::format("{:<8} {:<9} {}\n", name_of(finding.state), finding.subject, finding.said);
        if (!finding.fix.empty())
            out += fmt::format("{:<18} fix: {}\n", "", finding.fix);
    }
    return out;
}

DoctorVerb::DoctorVerb(CLI::App& app, std::string config_file)
    : config_file_{std::move(config_file)},
      verb_{app.add_subcommand("doctor", "Try what the daemon will need, and say how to mend it")}
{
    verb_->add_option("--config", config_file_, "Configuration file")
        ->type_name("FILE")
        ->capture_default_str();
    verb_->add_option("-o,--output", output_, "human or json")
        ->check(CLI::IsMember({"human", "json"}))
        ->capture_default_str();
    verb_->add_flag("--allow-inline-secrets", load_.allow_inline_secrets,
        "Accept secrets written into the file");
}

bool DoctorVerb::parsed() const
{
    return verb_->parsed();
}

int DoctorVerb::run() const
{
    config::LoadOptions options = load_;
    options.environment = config::process_environment();
    auto [config, findings] = examine_config(config_file_, options);
    const bool usable = std::none_of(findings.begin(), findings.end(), is_bad);
    append(findings, examine_host(usable ? config : config::AgentConfig{}));
    if (usable) {
        append(findings, examine_disk(config));
        append(findings, examine_api(config));
        append(findings, examine_remotes(config));
    }
    fmt::print("{}", render_findings(findings, output_ == "json"));
    return std::any_of(findings.begin(), findings.end(), is_bad) ? failure : success;
}

}  // namespace sonde::cli
