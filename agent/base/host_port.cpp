#include "agent/base/host_port.h"

#include "agent/base/text.h"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <charconv>

namespace sonde {
namespace {

bool alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_label(std::string_view label)
{
    return !label.empty() && label.size() <= 63 && alphanumeric(label.front()) &&
           alphanumeric(label.back()) && std::all_of(label.begin(), label.end(), [](char c) {
               return alphanumeric(c) || c == '-';
           });
}

}  // namespace

std::string HostPort::text() const
{
    if (host.find(':') != std::string::npos)
        return fmt::format("[{}]:{}", host, port);
    return fmt::format("{}:{}", host, port);
}

Result<HostPort> split_host_port(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || text.ends_with(']'))
        return error("bad_address", "\"{}\" has no port: write host:port", text);
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    if (host.find_first_of("[]") != std::string_view::npos ||
        (!bracketed && host.find(':') != std::string_view::npos))
        return error("bad_address", "\"{}\": an IPv6 address stands in brackets: [::1]:80", text);
    HostPort out{std::string{host}, 0};
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (failure != std::errc{} || end != digits.data() + digits.size())
        return error("bad_address", "\"{}\": the port is not a number from 0 to 65535", text);
    return out;
}

bool is_ip_literal(std::string_view host)
{
    boost::system::error_code failure;
    const auto address = boost::asio::ip::make_address(std::string{host}, failure);
    return !failure && (!address.is_v6() || host.find('%') == std::string_view::npos) &&
           std::none_of(host.begin(), host.end(), [](char c) { return c == '\0'; });
}

bool is_host(std::string_view host, bool single_label)
{
    if (is_ip_literal(host))
        return true;
    if (host.empty() || host.size() > 255)
        return false;
    const auto labels = text::split(host, '.');
    const auto& last = labels.back();
    const bool number =
        std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
    return (labels.size() > 1 || single_label) && !number &&
           std::all_of(labels.begin(), labels.end(), is_label);
}

}  // namespace sonde
