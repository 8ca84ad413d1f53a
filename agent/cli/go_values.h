#pragma once

#include "agent/base/error.h"

#include <chrono>
#include <string_view>

namespace sonde::cli {

// Values as Go's package flag reads them.

/// 1, t, T, TRUE, true, True and their opposites (strconv.ParseBool).
Result<bool> parse_go_bool(std::string_view text);

/// "1m30s", "1.5h", "0": of ns, us, ms, s, m, h (time.ParseDuration). Whole milliseconds that are
/// not negative.
Result<std::chrono::milliseconds> parse_go_duration(std::string_view text);

}  // namespace sonde::cli
