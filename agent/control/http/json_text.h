#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control {

/// A JSON string of `text`.
std::string quoted(std::string_view text);
/// A JSON list of strings.
std::string quoted(const std::vector<std::string>& texts);

/// Whether a body is a JSON object by the rules of spec 04 §1.5. @return Error "bad_json".
Result<> is_object(std::string_view body);

// Members of a body that are no field of a schema message. Absent and null: nullopt.
// @return Error "bad_value" with the member's name when the type is wrong.
Result<std::optional<std::int64_t>> integer_member(std::string_view body, std::string_view name);
Result<std::optional<double>> number_member(std::string_view body, std::string_view name);
Result<std::optional<std::string>> text_member(std::string_view body, std::string_view name);
Result<std::optional<bool>> bool_member(std::string_view body, std::string_view name);
/// The member as JSON text: an object to be read on its own.
std::optional<std::string> raw_member(std::string_view body, std::string_view name);
/// The members of an object at `name`, as JSON text. @return Error "bad_value" when it is none, or
/// absent.
Result<std::string> object_member(std::string_view body, std::string_view name);

/// Two objects as one: members of `extra` ("\"a\": 1") behind those of `object` ("{…}").
std::string with_members(std::string object, std::string_view extra);

/// A JSON list of what `print` makes of each element.
template <class List, class Print>
std::string json_list(const List& elements, Print print)
{
    std::string out = "[";
    for (const auto& element : elements)
        out.append(out.size() > 1 ? "," : "").append(print(element));
    return out + "]";
}

}  // namespace sonde::control
