#include "checkers/dns/record_text.h"

#include "agent/base/text.h"
#include "checkers/dns/service_text.h"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <ldns/ldns.h>

#include <algorithm>
#include <array>

namespace sonde::checkers::dns {
namespace {

constexpr int most_pointers = 126;  // more cannot be in a name of 255 bytes

enum Type : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    soa = 6,
    ptr = 12,
    hinfo = 13,
    mx = 15,
    txt = 16,
    afsdb = 18,
    aaaa = 28,
    srv = 33,
    kx = 36,
    dname = 39,
    ds = 43,
    sshfp = 44,
    tlsa = 52,
    cds = 59,
    svcb = 64,
    https = 65,
    spf = 99,
    caa = 257
};

void append_decimal(std::string& out, unsigned char byte)
{
    out += fmt::format("\\{:03}", byte);
}

void append_label(std::string& out, std::string_view label)
{
    for (const char c : label) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::string_view{". '@;()\"\\"}.find(c) != std::string_view::npos)
            out.append(1, '\\').append(1, c);
        else if (byte < 0x20 || byte > 0x7e)
            append_decimal(out, byte);
        else
            out += c;
    }
    out += '.';
}

std::string quoted(std::string_view string)
{
    return '"' + escaped_string(string) + '"';
}

/// Strings with a length byte each, up to the end of the data.
std::optional<std::string> strings(Reader& data)
{
    std::string out;
    while (!data.at_end()) {
        const auto size = data.u8();
        const auto string = data.bytes(*size);
        if (!string)
            return std::nullopt;
        if (!out.empty())
            out += ' ';
        out += quoted(*string);
    }
    return out;
}

std::optional<std::string> soa_text(Reader& data, std::uint32_t* serial)
{
    const auto primary = data.name();
    const auto mailbox = primary ? data.name() : std::nullopt;
    std::array<std::optional<std::uint32_t>, 5> numbers;
    for (auto& number : numbers)
        number = mailbox ? data.u32() : std::nullopt;
    if (!numbers.back())
        return std::nullopt;
    *serial = *numbers[0];
    return fmt::format("{} {} {} {} {} {} {}", *primary, *mailbox, *numbers[0], *numbers[1],
        *numbers[2], *numbers[3], *numbers[4]);
}

std::optional<std::string> srv_text(Reader& data)
{
    const auto priority = data.u16();
    const auto weight = data.u16();
    const auto port = data.u16();
    const auto target = port ? data.name() : std::nullopt;
    if (!target)
        return std::nullopt;
    return fmt::format("{} {} {} {}", *priority, *weight, *port, *target);
}

std::optional<std::string> mx_text(Reader& data)
{
    const auto preference = data.u16();
    const auto exchange = preference ? data.name() : std::nullopt;
    if (!exchange)
        return std::nullopt;
    return fmt::format("{} {}", *preference, *exchange);
}

std::optional<std::string> caa_text(Reader& data)
{
    const auto flags = data.u8();
    const auto size = data.u8();
    const auto tag = size ? data.bytes(*size) : std::nullopt;
    if (!tag)
        return std::nullopt;
    const auto value = data.rest();
    data.skip_rest();
    return fmt::format("{} {} {}", *flags, escaped_string(*tag), quoted(value));
}

/// Numbers, then a digest in hex: DS, CDS, SSHFP, TLSA.
std::optional<std::string> digest_text(Reader& data, std::uint16_t type)
{
    std::string out;
    if (type == ds || type == cds) {
        const auto key_tag = data.u16();
        if (!key_tag)
            return std::nullopt;
        out = fmt::format("{} ", *key_tag);
    }
    for (int i = 0; i < (type == tlsa ? 3 : 2); ++i) {
        const auto number = data.u8();
        if (!number)
            return std::nullopt;
        out += fmt::format("{} ", *number);
    }
    std::string digest = text::hex(data.rest());
    data.skip_rest();
    if (type != tlsa)
        std::transform(digest.begin(), digest.end(), digest.begin(),
            [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c; });
    return out + digest;
}

/// Types that nobody asks for by name here: as ldns writes them, or as unknown.
std::string other_text(std::uint16_t type, Reader& data)
{
    const std::string_view raw = data.rest();
    data.skip_rest();
    std::string wire;  // ldns wants the length in front
    wire += static_cast<char>(raw.size() >> 8U);
    wire += static_cast<char>(raw.size() & 0xffU);
    wire += raw;
    ldns_rr* const record = ldns_rr_new_frm_type(static_cast<ldns_rr_type>(type));
    std::size_t at = 0;
    const bool read =
        record && ldns_wire2rdf(record, reinterpret_cast<const std::uint8_t*>(wire.data()),
                      wire.size(), &at) == LDNS_STATUS_OK;
    std::string out;
    for (std::size_t i = 0; read && i < ldns_rr_rd_count(record); ++i) {
        char* const field = ldns_rdf2str(ldns_rr_rdf(record, i));
        if (field) {
            out.append(out.empty() ? "" : " ").append(field);
            std::free(field);  // NOLINT(cppcoreguidelines-no-malloc): C library
        }
    }
    ldns_rr_free(record);
    return out.empty() ? unknown_text(raw) : out;
}

}  // namespace

std::optional<std::uint8_t> Reader::u8()
{
    const auto raw = bytes(1);
    if (!raw)
        return std::nullopt;
    return static_cast<std::uint8_t>((*raw)[0]);
}

std::optional<std::uint16_t> Reader::u16()
{
    const auto raw = bytes(2);
    if (!raw)
        return std::nullopt;
    return static_cast<std::uint16_t>(
        static_cast<unsigned char>((*raw)[0]) << 8U | static_cast<unsigned char>((*raw)[1]));
}

std::optional<std::uint32_t> Reader::u32()
{
    const auto high = u16();
    const auto low = high ? u16() : std::nullopt;
    if (!low)
        return std::nullopt;
    return static_cast<std::uint32_t>(*high) << 16U | *low;
}

std::optional<std::string_view> Reader::bytes(std::size_t count)
{
    if (end_ - at_ < count)
        return std::nullopt;
    const auto found = message_.substr(at_, count);
    at_ += count;
    return found;
}

std::optional<std::string> Reader::name()
{
    std::string out;
    std::size_t here = at_;
    std::size_t limit = end_;  // a pointer may lead anywhere in the message
    std::size_t length = 1;
    bool jumped = false;
    for (int pointers = 0; pointers <= most_pointers;) {
        if (here >= limit)
            return std::nullopt;
        const auto size = static_cast<unsigned char>(message_[here]);
        if (size == 0) {
            if (!jumped)
                at_ = here + 1;
            return out.empty() ? "." : out;
        }
        if ((size & 0xc0U) == 0xc0U) {
            if (here + 1 >= limit)
                return std::nullopt;
            const std::size_t to =
                (size & 0x3fU) << 8U | static_cast<unsigned char>(message_[here + 1]);
            if (!std::exchange(jumped, true))
                at_ = here + 2;
            if (to >= here)  // backwards only: no loops
                return std::nullopt;
            here = to;
            limit = message_.size();
            ++pointers;
            continue;
        }
        if ((size & 0xc0U) != 0 || limit - here - 1 < size || (length += size + 1U) > 255)
            return std::nullopt;
        append_label(out, message_.substr(here + 1, size));
        here += size + 1U;
    }
    return std::nullopt;
}

std::string escaped_string(std::string_view string)
{
    std::string out;
    for (const char c : string) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            out.append(1, '\\').append(1, c);
        else if (byte < 0x20 || byte > 0x7e)
            append_decimal(out, byte);
        else
            out += c;
    }
    return out;
}

std::string ipv4_text(std::string_view bytes)
{
    const auto byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    return fmt::format("{}.{}.{}.{}", byte(0), byte(1), byte(2), byte(3));
}

std::string ipv6_text(std::string_view bytes)
{
    std::array<unsigned, 8> groups{};
    for (std::size_t i = 0; i < 8; ++i)
        groups.at(i) = static_cast<unsigned char>(bytes[2 * i]) << 8U |
                       static_cast<unsigned char>(bytes[2 * i + 1]);
    if (std::all_of(groups.begin(), groups.begin() + 5, [](unsigned g) { return g == 0; }) &&
        groups[5] == 0xffff)
        return fmt::format("::ffff:{}.{}.{}.{}", groups[6] >> 8U, groups[6] & 255U, groups[7] >> 8U,
            groups[7] & 255U);
    std::size_t best = 8;
    std::size_t length = 1;  // a single zero group is not shortened
    for (std::size_t i = 0; i < 8; ++i) {
        std::size_t end = i;
        while (end < 8 && groups.at(end) == 0)
            ++end;
        if (end - i > length) {
            best = i;
            length = end - i;
        }
    }
    std::string out;
    for (std::size_t i = 0; i < 8; ++i) {
        if (i == best) {
            out += "::";
            i += length - 1;
            continue;
        }
        if (!out.empty() && !out.ends_with(':'))
            out += ':';
        out += fmt::format("{:x}", groups.at(i));
    }
    return out;
}

std::string unknown_text(std::string_view raw)
{
    return raw.empty() ? "" : fmt::format("\\# {} {}", raw.size(), text::hex(raw));
}

std::optional<std::string> rdata_text(std::uint16_t type, Reader data, std::uint32_t* serial)
{
    if (data.at_end())
        return "";  // RFC 2136 uses records without data
    std::optional<std::string> out;
    switch (type) {
    case a:
        if (const auto raw = data.bytes(4))
            out = ipv4_text(*raw);
        break;
    case aaaa:
        if (const auto raw = data.bytes(16))
            out = ipv6_text(*raw);
        break;
    case ns:
    case cname:
    case ptr:
    case dname:
        out = data.name();
        break;
    case soa:
        out = soa_text(data, serial);
        break;
    case mx:
    case afsdb:
    case kx:
        out = mx_text(data);
        break;
    case srv:
        out = srv_text(data);
        break;
    case txt:
    case spf:
    case hinfo:
        out = strings(data);
        break;
    case caa:
        out = caa_text(data);
        break;
    case svcb:
    case https:
        out = service_text(data);
        break;
    case ds:
    case cds:
    case sshfp:
    case tlsa:
        out = digest_text(data, type);
        break;
    default:
        out = other_text(type, data);
    }
    return data.at_end() ? out : std::nullopt;
}

std::string opt_text(std::uint16_t udp_size, std::uint32_t ttl, std::string_view options)
{
    std::string out = fmt::format("\n;; OPT PSEUDOSECTION:\n; EDNS: version {}; flags:{}; udp: {}",
        ttl >> 16U & 0xffU, (ttl & 0x8000U) != 0 ? " do" : "", udp_size);
    Reader data{options, 0, options.size()};
    while (!data.at_end()) {
        const auto code = data.u16();
        const auto size = code ? data.u16() : std::nullopt;
        const auto value = size ? data.bytes(*size) : std::nullopt;
        if (!value)
            break;
        out += fmt::format("\n; OPT={}: {}", *code, text::hex(*value));
    }
    return out;
}

}  // namespace sonde::checkers::dns
