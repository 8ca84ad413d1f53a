#pragma once

#include "checkers/check.h"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::checkers {

/// The range of `checkers.blocked_nets` that forbids to talk to `address`; null: none does. The
/// unspecified address counts as loopback, to which the kernel connects.
const IpNetwork* blocking(const config::CheckersConfig& options, const asio::ip::address& address);

/// Asked of every address just before it is used, whatever the name was that led to it: then no
/// name server can lead a check into a forbidden net.
///
/// @param port 0: there is none. @return `code` with cause "local_no_permission", not logged;
/// nullopt: go ahead.
std::optional<Verdict> blocked(const config::CheckersConfig& options,
    const asio::ip::address& address, std::uint16_t port, std::string_view code = "connect");

}  // namespace sonde::checkers
