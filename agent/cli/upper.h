#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace sonde::cli {

/// In capitals; ASCII only.
inline std::string upper(std::string_view text)
{
    std::string out{text};
    std::transform(out.begin(), out.end(), out.begin(),
        [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return out;
}

}  // namespace sonde::cli
