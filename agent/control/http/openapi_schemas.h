#pragma once

#include "config/agent_config.h"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace sonde::control {

/// A JSON schema from its short form, which is JSON itself: `{"msg": "string", "checkId": "id"}` is
/// an object with two required members, `"labels?"` one that may be missing, `["Check"]` a list. A
/// text is a type: string, boolean, integer, number, id, time, or the name of a component, followed
/// by `|null` where it may be null.
nlohmann::ordered_json openapi_schema(std::string_view brief);

/// `components.schemas`. Members of requests have the limits of `config`.
nlohmann::ordered_json openapi_components(const config::ControlConfig& config);

}  // namespace sonde::control
