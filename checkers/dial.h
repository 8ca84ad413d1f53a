#pragma once

#include "agent/net/resolver.h"
#include "checkers/check.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::checkers {

/// How the lookup shows in the log: the kinds differ (spec 03 §5.6).
enum class LookupLines { debug, info, ping };

/// What choosing an address came to (spec 02 §1.5).
struct Chosen {
    net::Resolution found;              ///< valid when `failure` passes
    Verdict failure = Verdict::pass();  ///< "resolve"; explained in the log already
    double seconds = 0;                 ///< of the lookup
};

/// The address a run uses for `host`: resolves once (for ping: up to three times more when the
/// failure is temporary), notes it in `run` and sets the three series common to all kinds, also
/// when it fails or the deadline comes.
asio::awaitable<Chosen> choose_address(
    Run& run, std::string host, net::IpVersion version, LookupLines lines);

/// "resolve", not logged.
Verdict unresolved(
    std::string_view host, net::IpVersion version, const net::ResolveFailure& failure);

/// FNV-1a, 32 bit, over 4 or 16 address bytes. `as_v6`: an IPv4 address counts as ::ffff:a.b.c.d.
std::uint32_t address_hash(const asio::ip::address& address, bool as_v6 = false);

/// The cause of a failed system call towards `destination` (spec 02 §1.10): "refused",
/// "local_no_route", …; empty when none fits.
std::string_view cause_of(
    const boost::system::error_code& error, const asio::ip::address& destination = {});

/// The cause of "timeout": the open phase, but "local_exhausted" when this probe itself has spent
/// half of the time or more waiting for a core, "local_resolver_unreachable" when it hears of no
/// resolver at all.
std::string_view deadline_cause(const Run& run);

/// What a message says of "local_exhausted" at the deadline: ": this probe was late itself, for …".
std::string lateness_of(const Run& run);

/// Whether this host has a way to `address` at all, asked of the kernel without sending a byte.
bool has_route(const asio::ip::address& address);

/// "bad_source_address" when `text` is no IP literal, or its address is of the wrong family: then
/// "connect" or "socket" (`code`) with cause "local_source_address".
struct Source {
    asio::ip::address address;
    Verdict failure = Verdict::pass();
};
Source source_address(
    const std::string& text, const asio::ip::address& destination, std::string_view code);

}  // namespace sonde::checkers
