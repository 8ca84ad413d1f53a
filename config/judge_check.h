#pragma once

#include "config/agent_config.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sonde::config {

/// Of a check in a file that does not say it, in milliseconds.
inline constexpr std::int64_t default_period_ms = 60'000;
inline constexpr std::int64_t default_timeout_ms = 3'000;

/// What else must hold of an enabled check in a file, for whoever knows the kinds.
/// @return problems whose messages begin with a member: "settings.http.proxyURL: is no URL".
using JudgeCheck = std::function<std::vector<Error>(const pb::Check&)>;

/// load_agent_config() that asks `judge` about each check, too: what it refuses is a problem at
/// that member's line.
Loaded load_agent_config(
    const std::string& file, const LoadOptions& options, const JudgeCheck& judge);

/// The checks of one file: one check or a list of them, JSON or YAML, as in `checks_files`.
struct LoadedChecks {
    std::vector<pb::Check> checks;      ///< the enabled ones
    std::vector<std::string> problems;  ///< "FILE:LINE: FIELD: what"
};
LoadedChecks load_checks_file(const std::string& file,
    const std::map<std::string, std::string>& environment, const JudgeCheck& judge);

}  // namespace sonde::config
