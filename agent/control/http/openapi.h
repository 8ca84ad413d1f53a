#pragma once

#include "config/agent_config.h"

#include <string>

namespace sonde::control {

/// The API described for tools, as OpenAPI 3.1 in JSON (spec 04 §12). Paths, credentials and what
/// follows from them come from the route tables, members of messages from the schema, limits from
/// the options; what is left to say of an operation stands in openapi_operations.cpp.
std::string openapi_document(const config::ControlConfig& config);

}  // namespace sonde::control
