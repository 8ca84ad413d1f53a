#pragma once

#include "agent/control/rules/judgement.h"
#include "config/schema.h"

#include <cstddef>

namespace sonde::control::rules {

/// Labels that a tenant's probe may have; the operator's have any number.
inline constexpr std::size_t most_probe_labels = 3;

/// Whether a probe is accepted (spec 04 §6.6).
/// @return the first problem found: Error "invalid" with the member's path.
Result<> fit(const pb::Probe& probe, const Judgement& judgement,
    std::size_t most_labels = most_probe_labels);

}  // namespace sonde::control::rules
