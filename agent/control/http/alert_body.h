#pragma once

#include "agent/base/error.h"
#include "agent/control/store/alerts.h"

#include <string>
#include <string_view>
#include <vector>

namespace sonde::control {

/// A list of alerts with all that is known of them (spec 04 §4.2).
std::string json_of(const std::vector<store::Alert>& alerts);

/// `{"alerts": […]}`. @return Error "bad_json", or "bad_value" with the member's path.
Result<std::vector<store::Alert>> read_alerts(std::string_view body);

}  // namespace sonde::control
