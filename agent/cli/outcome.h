#pragma once

#include "agent/cli/check_request.h"
#include "checkers/check.h"
#include "checkers/run_once.h"

#include <string_view>

namespace sonde::cli {

/// Exit statuses of the monitoring-plugin convention (spec 06 §1.4).
enum class CheckStatus : int { ok = 0, warning = 1, critical = 2, unknown = 3 };

/// One run and what it means.
struct Outcome {
    const pb::Check& check;
    const checkers::Kind& kind;
    const checkers::Report& report;
    const Limits& limits;

    CheckStatus status() const;
    /// "warn" or "crit": the limit of its duration that a passing run has crossed; else empty.
    std::string_view crossed() const;
};

/// What a report means to a script: a fault of this host or of the command line is `unknown`, not
/// the target's failure.
CheckStatus status_of(const checkers::Report& report);
std::string_view name_of(CheckStatus status);  ///< "ok", "warning", "critical", "unknown"
/// Of several checks: critical before unknown before warning.
CheckStatus worse(CheckStatus a, CheckStatus b);

}  // namespace sonde::cli
