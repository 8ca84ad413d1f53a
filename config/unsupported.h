#pragma once

#include <span>
#include <string_view>

namespace sonde::config {

/// A key of spec 07 that this version does not honour.
struct Unsupported {
    std::string_view path;
    std::string_view accepted = {};  ///< the one value that asks for nothing; empty: there is none
};

/// All of them. A key that is honoured one day leaves this table and is read by its section.
std::span<const Unsupported> unsupported_keys();

}  // namespace sonde::config
