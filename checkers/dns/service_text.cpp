#include "checkers/dns/service_text.h"

#include "agent/base/text.h"

#include <fmt/format.h>

#include <array>

namespace sonde::checkers::dns {
namespace {

constexpr std::array<std::string_view, 8> key_names = {
    "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"};

enum Key : std::uint16_t { mandatory, alpn, no_default_alpn, port, ipv4hint, ech, ipv6hint };

std::string key_name(std::uint16_t key)
{
    return key < key_names.size() ? std::string{key_names.at(key)} : fmt::format("key{}", key);
}

/// Reads `one` until the data end. @return what it gave, joined with commas.
template <class One>
std::optional<std::string> list(Reader& data, One one)
{
    std::string out;
    do {
        const std::optional<std::string> item = one(data);
        if (!item)
            return std::nullopt;
        out.append(out.empty() ? "" : ",").append(*item);
    } while (!data.at_end());
    return out;
}

std::optional<std::string> key_item(Reader& data)
{
    const auto key = data.u16();
    return key ? std::optional{key_name(*key)} : std::nullopt;
}

/// Within a list a comma and a backslash are escaped once more (RFC 9460 appendix A.1).
std::optional<std::string> alpn_item(Reader& data)
{
    const auto size = data.u8();
    const auto name = size ? data.bytes(*size) : std::nullopt;
    if (!name)
        return std::nullopt;
    std::string escaped;
    for (const char c : *name)
        escaped.append(c == ',' || c == '\\' ? "\\" : "").append(1, c);
    return escaped_string(escaped);
}

std::optional<std::string> ipv4_item(Reader& data)
{
    const auto raw = data.bytes(4);
    return raw ? std::optional{ipv4_text(*raw)} : std::nullopt;
}

std::optional<std::string> ipv6_item(Reader& data)
{
    const auto raw = data.bytes(16);
    return raw ? std::optional{ipv6_text(*raw)} : std::nullopt;
}

std::optional<std::string> value_text(std::uint16_t key, Reader data)
{
    std::optional<std::string> out;
    switch (key) {
    case mandatory:
        return list(data, key_item);
    case alpn:
        return list(data, alpn_item);
    case no_default_alpn:
        return data.at_end() ? std::optional<std::string>{""} : std::nullopt;
    case port:
        if (const auto number = data.u16(); number && data.at_end())
            out = std::to_string(*number);
        return out;
    case ipv4hint:
        return list(data, ipv4_item);
    case ech:
        return text::base64(data.rest());
    case ipv6hint:
        return list(data, ipv6_item);
    default:
        return escaped_string(data.rest());
    }
}

}  // namespace

std::optional<std::string> service_text(Reader& data)
{
    const auto priority = data.u16();
    const auto target = priority ? data.name() : std::nullopt;
    if (!target)
        return std::nullopt;
    std::string out = fmt::format("{} {}", *priority, *target);
    while (!data.at_end()) {
        const auto key = data.u16();
        const auto size = key ? data.u16() : std::nullopt;
        const auto raw = size ? data.bytes(*size) : std::nullopt;
        const auto value = raw ? value_text(*key, Reader{*raw, 0, raw->size()}) : std::nullopt;
        if (!value)
            return std::nullopt;
        out += fmt::format(" {}=\"{}\"", key_name(*key), *value);
    }
    return out;
}

}  // namespace sonde::checkers::dns
