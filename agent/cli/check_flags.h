#pragma once

#include "agent/cli/check_request.h"

namespace CLI {
class App;
}

namespace sonde::cli {

/// Adds the handy flags of all kinds to the verb; each writes a member of the kind's settings into
/// `options.flags` (spec 06 §1.3).
void add_kind_flags(CLI::App& verb, CheckOptions& options);

/// @return problems: flags that the kind does not have.
std::vector<std::string> flags_of_other_kinds(const CheckOptions& options);

}  // namespace sonde::cli
