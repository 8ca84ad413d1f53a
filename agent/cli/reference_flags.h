#pragma once

#include "agent/base/error.h"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli {

/// A flag of the reference agent's daemon (spec 01 §12.3).
struct ReferenceFlag {
    enum class Kind { boolean, text, integer, duration, file };
    std::string_view name;  ///< without dashes
    Kind kind;
    std::string_view help;
};
/// All of them but `version` and `help`, for help and completion.
std::vector<ReferenceFlag> reference_flags();

/// A command line without the reference agent's flags, and what those come to.
struct Translated {
    std::vector<std::string> words;                ///< the program's name first, then "run" or
                                                   ///< whatever verb was given
    std::map<std::string, std::string> overrides;  ///< path of a key to its value
    std::vector<std::string> warnings;             ///< flags that have no effect, and why
};

/// Whether a program of this name behaves as the reference agent (spec 06 §2.5).
bool is_reference_name(std::string_view program);

/// Takes the reference agent's flags out of `sonde run …`, in Go's syntax: one dash or two,
/// "-flag=value" or "-flag value", "-flag" or "-flag=false"; of several the last counts. Other
/// verbs are left alone. Under the reference agent's name there is no verb, and what is no flag is
/// an error, as it is there.
/// @return Error "usage" that names the flag; never a token.
Result<Translated> translate(std::span<const std::string> arguments);

}  // namespace sonde::cli
