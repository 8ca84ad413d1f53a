#pragma once

#include "agent/base/error.h"
#include "config/schema.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace sonde::cli {

/// Reads `--settings` of one kind: a JSON object, "@FILE" that holds one, or nothing at all; then
/// what the flags say, which wins, and adds to lists. `flags` may be null.
/// Members that the kind does not have are refused: a misspelt expectation would never be checked.
/// @return Error "bad_value" that names the member: "settings.tcp.tls: is not true or false".
Result<> read_settings(const std::string& given, const std::string& kind,
    const nlohmann::json* flags, pb::CheckSettings& into);

}  // namespace sonde::cli
