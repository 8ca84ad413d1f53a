#include "agent/cli/ctl/verbs.h"

#include "agent/cli/cli.h"

#include <CLI/CLI.hpp>

#include <csignal>

namespace sonde::cli::ctl {

CtlVerbs::CtlVerbs(CLI::App& app)
    : ctl_{app.add_subcommand("ctl", "Work with an API: checks, probes, tokens, the tenant")}
{
    ctl_->require_subcommand(1);
    add_check_verbs(*ctl_, common_, verbs_);
    add_probe_verbs(*ctl_, common_, verbs_);
    add_account_verbs(*ctl_, common_, verbs_);
    add_adhoc_verb(*ctl_, common_, verbs_);
    add_apply_verb(*ctl_, common_, verbs_);
    ctl_->footer(
        "The API and the token come from flags, from SONDE_CTL_URL and SONDE_CTL_TOKEN_FILE (or\n"
        "SONDE_CTL_TOKEN), or from ctl.url and ctl.token_file in ~/.config/sonde/sonde.yaml.\n"
        "Exit status: 0 done, 1 it failed, 2 the command or a file is wrong.\n"
        "Examples:\n"
        "  sonde ctl check list --url https://api.example.org --token-file access-token\n"
        "  sonde ctl apply -f checks/ --dry-run\n"
        "  sonde ctl adhoc http https://example.org --probe frankfurt --expect-status 2xx");
}

bool CtlVerbs::parsed() const
{
    return ctl_->parsed();
}

int CtlVerbs::run() const
{
    std::signal(SIGPIPE, SIG_IGN);
    for (const Verb& verb : verbs_)
        if (verb.app->parsed())
            return verb.run();
    return usage;
}

}  // namespace sonde::cli::ctl
