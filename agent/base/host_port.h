#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde {

/// "host:port" taken apart. `host` has no brackets; empty stands for every local address.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;

    std::string text() const;  ///< "[::1]:53", "example.org:443"
    bool operator==(const HostPort&) const = default;
};

/// Splits at the last colon; IPv6 literals stand in brackets; the port is decimal, 0 to 65535.
/// @return Error "bad_address" that says what is wrong with the text.
Result<HostPort> split_host_port(std::string_view text);

/// Whether `host` is a host name of the public grammar (spec 02 §1.4) or an IP literal without
/// zone. `single_label` also allows names of one label, "localhost" among them.
bool is_host(std::string_view host, bool single_label = false);
bool is_ip_literal(std::string_view host);

}  // namespace sonde
