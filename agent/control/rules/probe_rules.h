#pragma once

#include "agent/control/rules/judgement.h"
#include "config/schema.h"

namespace sonde::control::rules {

/// Whether the API accepts a tenant's probe (spec 04 §6.6).
/// @return the first problem found: Error "invalid" with the member's path.
Result<> fit(const pb::Probe& probe, const Judgement& judgement);

}  // namespace sonde::control::rules
