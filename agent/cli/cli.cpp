#include "agent/cli/cli.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/cli/check_command.h"
#include "agent/cli/completion.h"
#include "checkers/registry.h"
#include "config/judge_check.h"

#include <CLI/CLI.hpp>
#include <openssl/sha.h>

#include <cstdio>
#include <iostream>
#include <iterator>

namespace sonde::cli {
namespace {

constexpr auto default_config = "/etc/sonde/sonde.yaml";

void print_version()
{
    fmt::print("sonde version=\"{}\" buildstamp=\"{}\" commit=\"{}\"\n", version::number,
        version::built, version::commit);
}

/// The value of `sha256` in the directory for a token given on standard input: never as an
/// argument, where other users could read it.
int hash_token()
{
    const std::string input{std::istreambuf_iterator<char>{std::cin}, {}};
    const std::string_view token =
        std::string_view{input}.substr(0, input.find_last_not_of("\r\n") + 1);
    if (token.empty()) {
        fmt::print(stderr, "sonde token hash: no token on standard input\n");
        return usage;
    }
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest);
    fmt::print("{}\n", text::hex({reinterpret_cast<const char*>(digest), sizeof digest}));
    return success;
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
    CLI::App app{"Sonde, a synthetic-monitoring probe and its control plane", "sonde"};
    app.require_subcommand(0, 1);
    app.set_help_all_flag("--help-all", "Help of all verbs");
    bool show_version = false;
    app.add_flag("--version", show_version, "Print the version");

    RunCommand run;
    run.config_file = default_config;
    auto* run_verb = app.add_subcommand("run", "Run the agent, the control plane, or both");
    run_verb->add_option("--config", run.config_file, "Configuration file")->capture_default_str();
    run_verb->add_flag("--allow-inline-secrets", run.options.allow_inline_secrets,
        "Accept secrets written into the file");

    CheckOptions check;
    auto* check_verb = add_check_verb(app, check);

    std::string file;
    auto* config_verb = app.add_subcommand("config", "Work with configuration files");
    config_verb->require_subcommand(1);
    auto* config_check = config_verb->add_subcommand("check", "Say what is wrong with a file");
    config_check->add_option("FILE", file, "Configuration file")->required();
    config_check->add_flag("--allow-inline-secrets", run.options.allow_inline_secrets,
        "Accept secrets written into the file");

    auto* token_verb = app.add_subcommand("token", "Work with tokens");
    token_verb->require_subcommand(1);
    auto* token_hash =
        token_verb->add_subcommand("hash", "Print the SHA-256 of the token on standard input");
    auto* version_verb = app.add_subcommand("version", "Print the version");
    std::string shell;
    auto* completion_verb = app.add_subcommand(
        "completion", "Print a completion script: source <(sonde completion bash)");
    completion_verb->add_option("SHELL", shell, "bash, zsh or fish")->required();

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        // CLI11's own statuses begin at 100; scripts expect 2, and 3 of a check (spec 06 §1.4).
        const bool is_error = app.exit(problem) != 0;
        if (is_error)
            suggest(app);
        return is_error ? (check_verb->parsed() ? static_cast<int>(CheckStatus::unknown) : usage)
                        : success;
    }
    if (show_version || version_verb->parsed()) {
        print_version();
        return success;
    }
    if (completion_verb->parsed())
        return print_completion(app, shell);
    run.options.environment = config::process_environment();
    if (check_verb->parsed())
        return run_check_verb(check);
    if (config_check->parsed())
        return load(file, run.options) ? success : usage;
    if (token_hash->parsed())
        return hash_token();
    if (run_verb->parsed())
        return run;
    fmt::print("{}", app.help());
    return usage;
}

}  // namespace sonde::cli
