#pragma once

#include "agent/cli/check_request.h"
#include "agent/cli/outcome.h"

namespace CLI {
class App;
}

namespace sonde::cli {

CLI::App* add_check_verb(CLI::App& app, CheckOptions& options);

/// Runs the checks now and prints what came of them.
/// @return the exit status: that of the worst run, or 130 when interrupted.
int run_check_verb(const CheckOptions& options);

}  // namespace sonde::cli
