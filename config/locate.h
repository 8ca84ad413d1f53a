#pragma once

#include "config/agent_config.h"

#include <string>
#include <string_view>

namespace sonde::config {

// Where a value came from, for what turns out to be wrong only when it is used: a port that is
// taken, a key that cannot be read.

/// "FILE:LINE" of a key such as "status.listen"; "command line" or the variable's name when it came
/// from there; FILE alone when the key has its default.
std::string where(const std::string& file, const LoadOptions& options, std::string_view path);

/// "FILE:LINE: PATH: what" of a message "PATH: what"; one that begins with no key gets FILE alone.
std::string located(const std::string& file, const LoadOptions& options, std::string_view message);

}  // namespace sonde::config
