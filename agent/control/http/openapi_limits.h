#pragma once

#include "config/agent_config.h"

#include <nlohmann/json_fwd.hpp>

namespace sonde::control {

/// What the API accepts, as far as JSON schema has words for it (spec 04 §6): of the components
/// that stand in requests and answers alike,
void add_limits(nlohmann::ordered_json& components, const config::ControlConfig& config);
/// and of those that stand in requests alone. Numbers that depend on the profile are of the
/// server's; a stack may have another.
void add_request_limits(nlohmann::ordered_json& components, const config::ControlConfig& config);

}  // namespace sonde::control
