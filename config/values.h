#pragma once

#include "agent/base/error.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace sonde::config {

// The types of a single value in the options file (spec 07 §1): how they are written and printed.
// Every Error is a "bad_value" whose message begins with the text that was refused.

/// "250ms", "15s", "5m", "1h" or "365d" as a duration.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// A number of bytes, or "64KiB", "4MiB", "1GiB".
Result<std::size_t> parse_size(std::string_view text);
/// "true" or "false".
Result<bool> parse_bool(std::string_view text);

/// The shortest of the forms that parse_duration and parse_size read: "2m", "64KiB".
std::string print_duration(std::chrono::milliseconds value);
std::string print_size(std::size_t value);

/// `path` unless it is relative: then from `base`.
std::string absolute(const std::string& path, const std::string& base);

/// The environment variable of a key: "api.address" is SONDE_API_ADDRESS.
std::string environment_name(std::string_view path);

}  // namespace sonde::config
