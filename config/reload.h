#pragma once

#include "config/agent_config.h"

#include <string>
#include <vector>

namespace sonde::config {

/// What stands in the way of a reload (spec 07 §9): one line for each key that differs and cannot
/// be changed while the process runs, such as "status.listen: needs a restart (localhost:4050 →
/// :4050)". Empty: everything that differs can be changed in place. Secrets are never printed.
std::vector<std::string> needs_restart(const AgentConfig& running, const AgentConfig& wanted);

}  // namespace sonde::config
