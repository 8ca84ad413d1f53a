#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::contract {

/// What a script remembers of earlier answers, by name.
using Captured = std::map<std::string, nlohmann::json>;

/// `text` with each `$name` replaced by what was captured: a text bare, anything else as JSON.
std::string filled_in(std::string_view text, const Captured& captured);

/// Compares an answer with what was wanted, whole. In the wanted one a text may be
/// `$name`: what was captured, and if nothing was, it is now;
/// `$name:kind`: the same, and of that kind: id, time, access, probe-token, text, `after OTHER`
/// (greater than another capture), `not OTHER`;
/// `words …`: begins so, and goes on; `…` alone: any text that is not empty.
/// @return what differs, with its path; empty: nothing.
std::vector<std::string> differences(
    const nlohmann::json& wanted, const nlohmann::json& answer, Captured& captured);

}  // namespace sonde::contract
