#include "checkers/blocked.h"

#include "agent/base/host_port.h"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>

namespace sonde::checkers {
namespace {

const IpNetwork* holding(const std::vector<IpNetwork>& nets, const auto& bytes)
{
    const std::string_view octets{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    const auto found = std::find_if(
        nets.begin(), nets.end(), [&](const IpNetwork& net) { return net.contains(octets); });
    return found == nets.end() ? nullptr : &*found;
}

}  // namespace

const IpNetwork* blocking(const config::CheckersConfig& options, const asio::ip::address& address)
{
    const auto& nets = options.blocked_nets;
    const auto* const net = address.is_v4() ? holding(nets, address.to_v4().to_bytes())
                                            : holding(nets, address.to_v6().to_bytes());
    if (net || !address.is_unspecified())
        return net;
    return address.is_v4() ? holding(nets, asio::ip::address_v4::loopback().to_bytes())
                           : holding(nets, asio::ip::address_v6::loopback().to_bytes());
}

std::optional<Verdict> blocked(const config::CheckersConfig& options,
    const asio::ip::address& address, std::uint16_t port, std::string_view code)
{
    const IpNetwork* const net = blocking(options, address);
    if (!net)
        return std::nullopt;
    const std::string where =
        port == 0 ? address.to_string() : HostPort{address.to_string(), port}.text();
    return Verdict::fail(code,
        fmt::format("this probe may not connect to {}: its checkers.blocked_nets has {}", where,
            net->text()),
        "local_no_permission")
        .with("address", where);
}

}  // namespace sonde::checkers
