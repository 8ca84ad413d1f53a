#pragma once

#include "agent/cli/check_request.h"
#include "agent/cli/outcome.h"

#include <functional>

namespace sonde::cli {

/// Runs the checks of `request` now, one after the other, `count` times (0: until interrupted),
/// and hands over each outcome as it comes. @return whether SIGINT or SIGTERM cut it short.
bool run_checks(
    const CheckRequest& request, int count, const std::function<void(const Outcome&)>& came);

}  // namespace sonde::cli
