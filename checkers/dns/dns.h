#pragma once

#include "agent/net/resolver.h"
#include "checkers/check.h"
#include "checkers/expectations.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sonde::checkers::dns {

/// What the records of a section must not, and must, match (spec 02 §3.6).
struct Validator {
    std::vector<Pattern> forbidden;
    std::vector<Pattern> required;
};

struct Settings {
    std::string name;    ///< asked for, as given
    std::string server;  ///< host
    std::uint16_t port = 53;
    net::IpVersion ip = net::IpVersion::any;
    std::string source;  ///< local IP address; empty: the kernel's choice
    std::uint16_t type = 255;
    bool tcp = true;
    std::vector<std::string> valid_rcodes;  ///< names; empty: NOERROR
    Validator answer;
    Validator authority;
    Validator additional;
};

/// What cannot be used goes to `problems`, with the path of the setting.
Settings parse_settings(const pb::Check& check, Problems& problems);

extern const Kind kind;

}  // namespace sonde::checkers::dns
