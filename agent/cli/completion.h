#pragma once

#include "agent/base/error.h"

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace sonde::cli {

/// A completion script for `shell`, made of what `app` knows: verbs, flags, words that a flag
/// takes. @return Error "bad_value" for other shells than bash, zsh and fish.
Result<std::string> completion(const CLI::App& app, std::string_view shell);

}  // namespace sonde::cli
