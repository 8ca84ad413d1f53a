#include "agent/cli/check_command.h"

#include "agent/cli/check_flags.h"
#include "agent/cli/check_runs.h"
#include "agent/cli/render.h"
#include "checkers/registry.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <map>

namespace sonde::cli {
namespace {

constexpr int interrupted_status = 130;

/// Prints outcomes as they come, in the form that was asked for.
class Printer {
public:
    Printer(const CheckOptions& options, const CheckRequest& request)
        : options_{options}, style_{Style::of_terminal(options.no_colour)},
          many_runs_{options.count != 1}, pages_{request.checks.size() > 1}
    {}

    void take(const Outcome& outcome)
    {
        worst_ = worse(worst_, outcome.status());
        if (options_.output == "human")
            people(outcome);
        else if (options_.output == "json" || options_.output == "jsonl")
            print(render_json(outcome, options_.output == "jsonl"));
        else if (options_.output == "nagios")
            print(render_nagios(outcome));
        else if (options_.output == "curl")
            print(render_curl(outcome));
        else
            pushed_.take(outcome);
        if (options_.output == "logfmt")
            print(pushed_.lines());
    }

    CheckStatus finish()
    {
        if (options_.output == "prom")
            print(pushed_.series());
        if (options_.output == "human" && many_runs_)
            for (const auto& [check, figures] : statistics_)
                print(figures.text(check->target(), style_));
        return worst_;
    }

private:
    static void print(const std::string& text)
    {
        fmt::print("{}", text);
        std::fflush(stdout);
    }

    void people(const Outcome& outcome)
    {
        statistics_[&outcome.check].take(outcome);
        if (many_runs_)
            return print(render_row(outcome, style_));
        if (pages_ && printed_)
            print("\n");
        printed_ = true;
        print(render_human(outcome, style_, options_.verbose));
    }

    const CheckOptions& options_;
    Style style_;
    bool many_runs_;
    bool pages_;
    bool printed_ = false;
    CheckStatus worst_ = CheckStatus::ok;
    Pushed pushed_;
    std::map<const pb::Check*, Statistics> statistics_;
};

/// How often to run, what to think of it, how to show it.
void add_common_flags(CLI::App& verb, CheckOptions& options)
{
    verb.add_option("--warn", options.warn, "A longer run is a warning: 300ms");
    verb.add_option("--crit", options.crit, "A longer run is critical: 1s");
    verb.add_option("--count", options.count, "Number of runs; 0: until interrupted")
        ->capture_default_str();
    verb.add_option("--interval", options.interval, "From the start of a run to the next one's")
        ->capture_default_str();
    verb.add_flag("--basic", options.basic, "The basic set of series (with -o prom)");
    verb.add_option("-o,--output", options.output, "For people, or for machines")
        ->check(CLI::IsMember(std::vector<std::string>{output_forms.begin(), output_forms.end()}))
        ->capture_default_str();
    verb.add_flag_callback(
        "--json", [&options] { options.output = "json"; }, "The same as -o json");
    verb.add_flag("-v,--verbose", options.verbose, "Every line of the run's log, too");
    verb.add_flag(
        "--no-color", options.no_colour, "No colour, as with NO_COLOR in the environment");
}

}  // namespace

CLI::App* add_check_verb(CLI::App& app, CheckOptions& options)
{
    auto* verb = app.add_subcommand("check", "Run one check, or those of a file, now");
    std::vector<std::string> kinds;
    for (const checkers::Kind* kind : checkers::all_kinds())
        kinds.emplace_back(kind->name);
    verb->add_option("KIND", options.kind, fmt::format("{}", fmt::join(kinds, ", ")))
        ->check(CLI::IsMember(kinds));
    verb->add_option("TARGET", options.target, "What to check, as in a check of the API");
    verb->add_option(
            "-f,--file", options.file, "File with a check or a list of checks (JSON, YAML)")
        ->type_name("FILE");
    verb->add_option("--only", options.only, "Of the file, the checks of this job alone");
    verb->add_option("--settings", options.settings,
        "Settings of the kind as JSON, or @FILE: '{\"validStatusCodes\": [200]}'");
    verb->add_option(
        "--timeout", options.timeout, "Longest time to take (default 3s, or as the file says)");
    verb->add_flag("-4", options.only_v4, "Only IPv4");
    verb->add_flag("-6", options.only_v6, "Only IPv6");
    add_common_flags(*verb, options);
    add_kind_flags(*verb, options);
    verb->footer("Exit status: 0 ok, 1 warning, 2 critical, 3 unknown (we could not tell).\n"
                 "Examples:\n"
                 "  sonde check http https://example.org --expect-body 'Example' --warn 300ms\n"
                 "  sonde check dns example.org --record MX --server 192.0.2.53\n"
                 "  sonde check tcp mail.example.org:25 --expect '^220 '\n"
                 "  sonde check ping 192.0.2.1 --count 10\n"
                 "  sonde check -f checks.yaml -o jsonl");
    return verb;
}

int run_check_verb(const CheckOptions& options)
try {
    std::signal(SIGPIPE, SIG_IGN);
    CheckRequest request;
    if (const auto problems = read_request(options, request); !problems.empty()) {
        for (const std::string& problem : problems)
            fmt::print(stderr, "sonde check: {}\n", problem);
        return static_cast<int>(CheckStatus::unknown);
    }
    Printer printer{options, request};
    const bool interrupted =
        run_checks(request, options.count, [&](const Outcome& outcome) { printer.take(outcome); });
    const CheckStatus worst = printer.finish();
    return interrupted ? interrupted_status : static_cast<int>(worst);
} catch (
    const std::exception& failure) {  // ours, not the target's: it must not look like a warning
    fmt::print(stderr, "sonde check: {}\n", failure.what());
    return static_cast<int>(CheckStatus::unknown);
}

}  // namespace sonde::cli
