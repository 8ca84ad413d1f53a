#pragma once

#include "agent/cli/ctl/session.h"

namespace sonde::cli::ctl {

/// `sonde ctl`: the Synthetic Monitoring API for people and scripts.
class CtlVerbs {
public:
    explicit CtlVerbs(CLI::App& app);
    CtlVerbs(const CtlVerbs&) = delete;
    CtlVerbs& operator=(const CtlVerbs&) = delete;

    bool parsed() const;
    int run() const;

private:
    Common common_;
    Verbs verbs_;
    CLI::App* ctl_;
};

}  // namespace sonde::cli::ctl
