#include "agent/cli/cli.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/cli/check_command.h"
#include "agent/cli/completion.h"
#include "agent/cli/ctl/verbs.h"
#include "agent/cli/doctor.h"
#include "agent/cli/healthcheck.h"
#include "agent/cli/queue.h"
#include "agent/cli/reference_flags.h"
#include "agent/cli/token.h"
#include "checkers/registry.h"
#include "config/judge_check.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

namespace sonde::cli {
namespace {

constexpr auto reference_address = "localhost:4031";
constexpr auto reference_group =
    "Flags of the reference agent, with one dash or two, before file and environment";

void print_version()
{
    fmt::print("sonde version=\"{}\" buildstamp=\"{}\" commit=\"{}\"\n", version::number,
        version::built, version::commit);
}

int print_completion(const CLI::App& app, const std::string& shell)
{
    const auto script = completion(app, shell);
    if (script)
        fmt::print("{}", *script);
    else
        fmt::print(stderr, "{}\n", script.error().message);
    return script ? success : usage;
}

/// What may have been meant by a word that the verb does not know.
void suggest(const CLI::App& app)
{
    const CLI::App* verb = &app;
    for (auto below = verb->get_subcommands(); !below.empty(); below = verb->get_subcommands())
        verb = below.front();
    std::vector<std::string> known;
    for (const CLI::Option* option : verb->get_options()) {
        for (const std::string& name : option->get_lnames())
            known.push_back("--" + name);
        for (const std::string& name : option->get_snames())
            known.push_back("-" + name);
    }
    for (const CLI::App* below : verb->get_subcommands(nullptr))
        known.push_back(below->get_name());
    for (const std::string& typed : app.remaining(true)) {
        const std::string word = typed.substr(0, typed.find('='));
        const std::vector<std::string_view> words{known.begin(), known.end()};
        const auto meant = text::nearest(word, words);
        if (!meant.empty()) {
            fmt::print(stderr, "Did you mean {}?\n", meant);
            return;
        }
    }
}

/// For help and completion: translate() has taken these out before `verb` is parsed.
void add_reference_flags(CLI::App& verb)
{
    using Kind = ReferenceFlag::Kind;
    for (const ReferenceFlag& flag : reference_flags()) {
        const std::string name = fmt::format("--{}", flag.name);
        const std::string help{flag.help};
        CLI::Option* option =
            flag.kind == Kind::boolean
                ? verb.add_flag(name, help)
                : verb.add_option(name, CLI::callback_t{[](const auto&) { return true; }}, help);
        option->group(reference_group);
        if (flag.kind != Kind::boolean)
            option->type_name(flag.kind == Kind::file ? "FILE" : "VALUE");
    }
}

/// The file to read, where none was named: the usual one, unless there is none and something else
/// says what to do (spec 06 §2.4, §2.5).
std::string unnamed_file(const config::LoadOptions& options)
{
    std::error_code unknown;
    const bool told = options.overrides.contains("api.address") ||
                      options.environment.contains("SONDE_API_ADDRESS");
    return told && !std::filesystem::exists(default_config, unknown) ? "" : default_config;
}

/// All verbs and their flags, and what they were given.
class CommandLine {
public:
    CommandLine()
    {
        app_.require_subcommand(0, 1);
        app_.set_help_all_flag("--help-all", "Help of all verbs");
        app_.add_flag("--version", show_version_, "Print the version");
        run_verb_->add_flag("--version", show_version_, "Print the version");
        run_verb_->add_option("--config", run_.config_file, "Configuration file")
            ->type_name("FILE")
            ->default_str(default_config);
        add_reference_flags(*run_verb_);
        health_verb_->add_option("--url", health_.url, "Complete URL to ask");
        health_verb_
            ->add_option(
                "--config", health_.config_file, "Configuration file that says whom to ask")
            ->type_name("FILE")
            ->default_str(default_config);
        config_verb_->require_subcommand(1);
        config_check_->add_option("FILE", file_, "Configuration file")
            ->type_name("FILE")
            ->required();
        for (CLI::App* verb : {run_verb_, config_check_})
            verb->add_flag("--allow-inline-secrets", run_.options.allow_inline_secrets,
                "Accept secrets written into the file");
        completion_verb_->add_option("SHELL", shell_, "bash, zsh or fish")->required();
    }

    /// @return what is left for the caller to do, or the exit status.
    std::variant<RunCommand, int> carry_out(int argc, char** argv)
    {
        const std::vector<std::string> arguments{argv, argv + argc};
        const bool as_reference = argc > 0 && is_reference_name(arguments.front());
        auto translated = translate(arguments);
        if (!translated)
            return refuse(translated.error(), as_reference);
        try {  // which wants them in reverse, without the program's name
            app_.parse(std::vector<std::string>{
                translated->words.rbegin(), translated->words.rend() - (argc > 0 ? 1 : 0)});
        } catch (const CLI::ParseError& problem) {
            return refuse(problem);
        }
        run_.options.environment = config::process_environment();
        if (!run_verb_->parsed() || show_version_)
            return status();
        complete_run(std::move(*translated), as_reference);
        return run_;
    }

private:
    void complete_run(Translated flags, bool as_reference)
    {
        auto& options = run_.options;
        options.overrides = std::move(flags.overrides);
        run_.warnings = std::move(flags.warnings);
        if (!run_.config_file.empty())
            return;
        if (!as_reference)
            run_.config_file = unnamed_file(options);
        else if (!options.environment.contains("SONDE_API_ADDRESS"))
            options.overrides.emplace("api.address", reference_address);
        run_.state_optional = run_.config_file.empty();
    }

    /// As Go's flags do, with all of them: to whoever knows only the other program.
    int refuse(const Error& problem, bool as_reference) const
    {
        fmt::print(stderr, "{}\n{}", problem.message,
            as_reference ? run_verb_->help() : "Run with --help for more information.\n");
        return usage;
    }

    /// CLI11's own statuses begin at 100; scripts expect 2, and 3 of a check (spec 06 §1.4).
    int refuse(const CLI::ParseError& problem)
    {
        if (app_.exit(problem) == 0)
            return success;  // help was asked for
        suggest(app_);
        return check_verb_->parsed() ? static_cast<int>(CheckStatus::unknown) : usage;
    }

    int status() const
    {
        if (show_version_ || version_verb_->parsed()) {
            print_version();
            return success;
        }
        if (completion_verb_->parsed())
            return print_completion(app_, shell_);
        if (check_verb_->parsed())
            return run_check_verb(check_);
        if (doctor_.parsed())
            return doctor_.run();
        if (queue_.parsed())
            return queue_.run();
        if (health_verb_->parsed())
            return healthcheck(health_, run_.options);
        if (config_check_->parsed())
            return load(file_, run_.options) ? success : usage;
        if (token_.parsed())
            return token_.run();
        if (ctl_.parsed())
            return ctl_.run();
        fmt::print("{}", app_.help());
        return usage;
    }

    CLI::App app_{"Sonde, a synthetic-monitoring probe and its control plane", "sonde"};
    bool show_version_ = false;
    RunCommand run_;
    CheckOptions check_;
    HealthRequest health_;
    std::string file_;
    std::string shell_;
    CLI::App* run_verb_ = app_.add_subcommand("run", "Run the agent, the control plane, or both");
    CLI::App* check_verb_ = add_check_verb(app_, check_);
    CLI::App* health_verb_ =
        app_.add_subcommand("healthcheck", "Ask a running agent whether it is ready");
    DoctorVerb doctor_{app_, default_config};
    QueueVerbs queue_{app_, default_config};
    CLI::App* config_verb_ = app_.add_subcommand("config", "Work with configuration files");
    CLI::App* config_check_ =
        config_verb_->add_subcommand("check", "Say what is wrong with a file");
    TokenVerbs token_{app_};
    ctl::CtlVerbs ctl_{app_};
    CLI::App* version_verb_ = app_.add_subcommand("version", "Print the version");
    CLI::App* completion_verb_ = app_.add_subcommand(
        "completion", "Print a completion script: source <(sonde completion bash)");
};

}  // namespace

std::optional<config::AgentConfig> load(const std::string& file, const config::LoadOptions& options)
{
    auto loaded = config::load_agent_config(file, options, checkers::validate);
    for (const std::string& warning : loaded.warnings)
        fmt::print(stderr, "{} (warning)\n", warning);
    for (const std::string& problem : loaded.problems)
        fmt::print(stderr, "{}\n", problem);
    if (!loaded.problems.empty())
        return std::nullopt;
    return std::move(loaded.config);
}

std::variant<RunCommand, int> parse(int argc, char** argv)
{
    return CommandLine{}.carry_out(argc, argv);
}

}  // namespace sonde::cli
