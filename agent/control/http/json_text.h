#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::control {

/// A JSON string of `text`.
std::string quoted(std::string_view text);

// Members of a body that are no field of a schema message. Absent and null: nullopt.
// @return Error "bad_value" with the member's name when the type is wrong.
Result<std::optional<std::int64_t>> integer_member(std::string_view body, std::string_view name);
Result<std::optional<std::string>> text_member(std::string_view body, std::string_view name);
Result<std::optional<bool>> bool_member(std::string_view body, std::string_view name);
/// The member as JSON text: an object to be read on its own.
std::optional<std::string> raw_member(std::string_view body, std::string_view name);

/// Two objects as one: members of `extra` ("\"a\": 1") behind those of `object` ("{…}").
std::string with_members(std::string object, std::string_view extra);

}  // namespace sonde::control
