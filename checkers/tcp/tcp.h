#pragma once

#include "agent/base/host_port.h"
#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/check.h"
#include "checkers/expectations.h"

#include <optional>
#include <string>
#include <vector>

namespace sonde::checkers::tcp {

/// One step of the dialogue, in this order (spec 02 §5.4).
struct Step {
    std::optional<Pattern> expect;  ///< read lines until one matches
    std::string send;               ///< then write this and LF; a template when there is `expect`
    bool start_tls = false;         ///< then switch to TLS
};

struct Settings {
    HostPort target;
    net::IpVersion ip = net::IpVersion::any;
    std::string source;  ///< local IP address; empty: the kernel's choice
    bool tls = false;
    net::TlsSettings tls_settings;
    std::string server_name;  ///< sent and verified: the setting, else the target's host
    std::vector<Step> steps;  ///< empty: connecting is enough
};

/// What cannot be used goes to `problems`, with the path of the setting.
Settings parse_settings(const pb::Check& check, Problems& problems);

extern const Kind kind;

}  // namespace sonde::checkers::tcp
