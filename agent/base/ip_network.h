#pragma once

#include "agent/base/error.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sonde {

/// A range of addresses, as CIDR writes it (RFC 4632 §3.1, RFC 4291 §2.3).
class IpNetwork {
public:
    /// "192.0.2.0/24", "2001:db8::/32"; without a slash one address. Bits behind the prefix must be
    /// zero. IPv4-mapped IPv6 stands for the IPv4 network it holds. @return Error "bad_value" that
    /// says what is wrong.
    static Result<IpNetwork> parse(std::string_view text);

    /// Whether the address lies in it. An IPv4-mapped IPv6 address counts as the IPv4 address it
    /// holds. `octets` are 4 or 16, in network order.
    bool contains(std::string_view octets) const;

    std::string text() const;

    bool operator==(const IpNetwork&) const = default;

private:
    void unmap();

    std::array<std::uint8_t, 16> octets_{};
    std::uint8_t length_ = 4;  // of an address: 4 or 16
    std::uint8_t prefix_ = 0;
};

}  // namespace sonde
