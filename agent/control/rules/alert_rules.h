#pragma once

#include "agent/control/rules/judgement.h"
#include "agent/control/store/alerts.h"
#include "config/schema.h"

#include <vector>

namespace sonde::control::rules {

/// Whether a check may have these alerts (spec 04 §4.2).
/// @return the first problem found: Error "invalid" with the member's path.
Result<> fit(const std::vector<store::Alert>& alerts, const pb::Check& check);

}  // namespace sonde::control::rules
