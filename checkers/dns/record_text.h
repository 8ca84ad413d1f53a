#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::checkers::dns {

/// Reads a message from front to back; every read says whether it was possible.
class Reader {
public:
    Reader(std::string_view message, std::size_t at, std::size_t end)
        : message_{message}, at_{at}, end_{end}
    {}

    std::optional<std::uint8_t> u8();
    std::optional<std::uint16_t> u16();
    std::optional<std::uint32_t> u32();
    std::optional<std::string_view> bytes(std::size_t count);
    /// A name, pointers followed, in presentation form with the final dot (RFC 1035 §4.1.4).
    std::optional<std::string> name();

    std::string_view rest() const { return message_.substr(at_, end_ - at_); }
    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == end_; }
    void skip_rest() { at_ = end_; }

private:
    std::string_view message_;
    std::size_t at_;
    std::size_t end_;
};

/// Text of the data of a record; nullopt when they are malformed.
std::optional<std::string> rdata_text(std::uint16_t type, Reader data, std::uint32_t* serial);

/// Data of a type without a name (RFC 3597 §5).
std::string unknown_text(std::string_view raw);

/// A character string without the quotes around it: `"` and `\` escaped, other bytes as \DDD.
std::string escaped_string(std::string_view string);
std::string ipv4_text(std::string_view bytes);
/// RFC 5952; glibc writes some addresses differently (spec 02 §9.5).
std::string ipv6_text(std::string_view bytes);

/// Text of an OPT pseudo record: several lines (RFC 6891).
std::string opt_text(std::uint16_t udp_size, std::uint32_t ttl, std::string_view options);

}  // namespace sonde::checkers::dns
