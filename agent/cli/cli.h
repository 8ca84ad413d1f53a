#pragma once

#include "config/agent_config.h"

#include <string>
#include <variant>
#include <vector>

namespace sonde::cli {

/// `sonde run`: what it needs of the command line.
struct RunCommand {
    std::string config_file;  ///< empty: there is none; flags and environment say all
    config::LoadOptions options;
    std::vector<std::string> warnings;  ///< about the flags; for the log, once there is one
    /// Where no state_dir can be made, run on without journal and state file: nobody asked for
    /// them.
    bool state_optional = false;
    bool without_state = false;  ///< it could not be made, and was optional
};

/// The file that `run` reads unless told otherwise.
inline constexpr auto default_config = "/etc/sonde/sonde.yaml";

/// Exit statuses of all verbs but `check`.
enum Status : int { success = 0, failure = 1, usage = 2 };

/// Reads the command line and carries out every verb but `run`, which only main can build.
/// @return what to run, or the exit status of what was done.
std::variant<RunCommand, int> parse(int argc, char** argv);

/// Loads the file and prints what is wrong with it, one line each, to standard error.
/// @return nullopt when something is.
std::optional<config::AgentConfig> load(
    const std::string& file, const config::LoadOptions& options);

}  // namespace sonde::cli
