#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::checkers::ping {

// ICMP echo messages (RFC 792, RFC 4443 §4); no I/O.

inline constexpr std::size_t token_size = 16;

/// What tells a run's replies from those of others: `token_size` bytes. One thread at a time.
std::string random_token();

/// The data of an echo request: time, token, filling; the token alone when there is no room for
/// both (spec 02 §4.4).
std::string payload(std::size_t size, std::string_view token, std::chrono::nanoseconds time);

/// An echo request with its checksum; the kernel puts its own into IPv6 ones.
std::string request(bool v6, std::uint16_t id, std::uint16_t sequence, std::string_view data);

struct Reply {
    std::uint16_t id;
    std::uint16_t sequence;
    std::string_view data;
};

/// An echo reply taken apart; nullopt for every other message.
std::optional<Reply> parse_reply(bool v6, std::string_view message);

/// Whether the data of a reply are those that a run with `token` has sent.
bool is_ours(std::string_view data, std::size_t size, std::string_view token);

/// The time of a reply: what passed since the request, less what it lay in the socket by the
/// kernel's stamp; that only if it can be true, for a wall clock may be set meanwhile.
std::chrono::nanoseconds round_trip(
    std::chrono::nanoseconds passed, std::chrono::nanoseconds waited);

/// The sum of RFC 1071.
std::uint16_t checksum(std::string_view bytes);

}  // namespace sonde::checkers::ping
