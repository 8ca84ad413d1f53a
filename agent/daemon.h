#pragma once

#include "agent/cli/cli.h"
#include "config/agent_config.h"

#include <memory>

namespace sonde {

/// `sonde run`: builds every part from the ground up, runs them on one loop, and takes them down in
/// reverse. With main.cpp the only file that sees every room.
class Daemon {
public:
    /// @param command where `config` was read from: a reload reads it again.
    Daemon(config::AgentConfig config, cli::RunCommand command);
    ~Daemon();

    /// Until SIGTERM or SIGINT, or until the API refuses this probe for good.
    /// @return the exit status.
    int run();

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// The log as the options want it; under the journal with its priorities (spec 07 §2).
void configure_log(const config::LogConfig& config);

}  // namespace sonde
