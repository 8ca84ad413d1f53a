#pragma once

#include "agent/cli/check_command.h"
#include "checkers/run_once.h"

#include <string>
#include <string_view>

namespace sonde::cli {

/// What a report means to a script: a fault of this host or of the command line is `unknown`, not
/// the target's failure (spec 06 §1.4).
CheckStatus status_of(const checkers::Report& report);
std::string_view name_of(CheckStatus status);  ///< "ok", "warning", "critical", "unknown"

/// For people: verdict first, then the evidence (spec 06 §1.2). Plain text, no colour.
std::string render_human(
    std::string_view kind, std::string_view target, const checkers::Report& report);

/// For scripts: one JSON object, `schema_version` 1 (spec 06 §1.5).
std::string render_json(
    std::string_view kind, std::string_view target, const checkers::Report& report);

}  // namespace sonde::cli
