#include "agent/base/ip_network.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sonde {
namespace {

constexpr std::string_view mapped_prefix{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};

bool bit_of(std::string_view octets, unsigned bit)
{
    return (static_cast<unsigned char>(octets[bit / 8]) >> (7 - bit % 8) & 1U) != 0;
}

}  // namespace

Result<IpNetwork> IpNetwork::parse(std::string_view text)
{
    const auto slash = text.find('/');
    const std::string address{text.substr(0, slash)};
    const bool whole = address.find('\0') == std::string::npos;  // C ends its texts there
    IpNetwork network;
    if (whole && ::inet_pton(AF_INET6, address.c_str(), network.octets_.data()) == 1)
        network.length_ = 16;
    else if (!whole || ::inet_pton(AF_INET, address.c_str(), network.octets_.data()) != 1)
        return error(
            "bad_value", "\"{}\" is not an IP address with a prefix, such as 10.0.0.0/8", text);
    unsigned prefix = network.length_ * 8U;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, bad] =
            std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (bad != std::errc{} || end != digits.data() + digits.size() ||
            prefix > network.length_ * 8U)
            return error("bad_value", "the prefix of \"{}\" must lie between 0 and {}", text,
                network.length_ * 8);
    }
    network.prefix_ = static_cast<std::uint8_t>(prefix);
    const IpNetwork given = network;
    for (unsigned bit = prefix; bit < network.length_ * 8U; ++bit)
        network.octets_[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
    if (network != given)
        return error(
            "bad_value", "\"{}\" has bits behind its prefix: write {}", text, network.text());
    network.unmap();
    return network;
}

/// ::ffff:10.0.0.0/104 is 10.0.0.0/8.
void IpNetwork::unmap()
{
    const auto mapped = static_cast<std::uint8_t>(mapped_prefix.size());
    if (length_ != 16 || prefix_ < mapped * 8 ||
        std::memcmp(octets_.data(), mapped_prefix.data(), mapped) != 0)
        return;
    std::rotate(octets_.begin(), octets_.begin() + mapped, octets_.end());
    std::fill(octets_.begin() + 4, octets_.end(), std::uint8_t{0});
    length_ = 4;
    prefix_ = static_cast<std::uint8_t>(prefix_ - mapped * 8);
}

bool IpNetwork::contains(std::string_view octets) const
{
    if (octets.size() == 16 && length_ == 4 && octets.starts_with(mapped_prefix))
        octets.remove_prefix(mapped_prefix.size());
    if (octets.size() != length_)
        return false;
    const std::string_view own{reinterpret_cast<const char*>(octets_.data()), length_};
    for (unsigned bit = 0; bit < prefix_; ++bit)
        if (bit_of(own, bit) != bit_of(octets, bit))
            return false;
    return true;
}

std::string IpNetwork::text() const
{
    char buffer[INET6_ADDRSTRLEN];
    ::inet_ntop(length_ == 4 ? AF_INET : AF_INET6, octets_.data(), buffer, sizeof buffer);
    return fmt::format("{}/{}", buffer, prefix_);
}

}  // namespace sonde
