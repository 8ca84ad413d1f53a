#pragma once

#include "agent/net/resolver.h"
#include "checkers/check.h"

#include <cstddef>
#include <string>

namespace sonde::checkers::ping {

struct Settings {
    std::string host;
    net::IpVersion ip = net::IpVersion::any;
    std::string source;  ///< local IP address; empty: the kernel's choice
    std::size_t payload_size = 24;
    bool dont_fragment = false;
    int packets = 3;
    int required = 1;  ///< replies for a pass
};

/// What cannot be used goes to `problems`, with the path of the setting.
Settings parse_settings(const pb::Check& check, Problems& problems);

extern const Kind kind;

}  // namespace sonde::checkers::ping
