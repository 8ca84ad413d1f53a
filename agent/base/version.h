#pragma once

#include <string>
#include <string_view>

namespace sonde::version {

extern const std::string_view number;  ///< "0.1.0"
extern const std::string_view commit;  ///< 40 hex digits, or "unknown"
extern const std::string_view built;   ///< RFC 3339, UTC

/// `sonde/0.1.0 (linux amd64; <commit>; <build time>; +<home page>)` (spec 02 §2.3, spec 03 §4.2).
const std::string& user_agent();

}  // namespace sonde::version
