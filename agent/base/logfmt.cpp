#include "agent/base/logfmt.h"

#include "agent/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sonde::logfmt {
namespace {

/// What a byte asks of the value it is in.
enum Need : unsigned char {
    quotes = 1,    ///< around the value
    escape = 2,    ///< of itself, should there be quotes
    decoding = 4,  ///< part of what may be UTF-8
};

constexpr auto needs = [] {
    std::array<unsigned char, 256> of{};
    for (unsigned byte = 0; byte < ' '; ++byte)
        of[byte] = quotes | escape;
    of[' '] = quotes;
    of['='] = quotes;
    of['"'] = quotes | escape;
    of['\\'] = escape;
    of[0x7f] = quotes | escape;
    for (unsigned byte = 0x80; byte < of.size(); ++byte)
        of[byte] = decoding;
    return of;
}();

unsigned need_of(char c)
{
    return needs[static_cast<unsigned char>(c)];
}

unsigned needs_of(std::string_view text)
{
    unsigned all = 0;
    for (const char c : text)
        all |= need_of(c);
    return all;
}

void append_escaped(std::string& line, char c)
{
    switch (c) {
    case '"':
        line += "\\\"";
        return;
    case '\\':
        line += "\\\\";
        return;
    case '\n':
        line += "\\n";
        return;
    case '\r':
        line += "\\r";
        return;
    case '\t':
        line += "\\t";
        return;
    default:
        line += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    }
}

void append_key(std::string& line, std::string_view key)
{
    while (!key.empty()) {
        const auto length = text::character(key);
        if (length > 0 && (need_of(key.front()) & quotes) == 0)
            line += key.substr(0, length);
        key.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_quoted(std::string& line, std::string_view value)
{
    line += '"';
    while (!value.empty()) {
        const auto first = std::find_if(value.begin(), value.end(),
            [](char c) { return (need_of(c) & (escape | decoding)) != 0; });
        const auto as_it_is = static_cast<std::size_t>(first - value.begin());
        line += value.substr(0, as_it_is);
        value.remove_prefix(as_it_is);
        if (value.empty())
            break;
        const auto length = text::character(value);
        if (length == 0)
            line += "\\ufffd";
        else if (length == 1)
            append_escaped(line, value.front());
        else
            line += value.substr(0, length);
        value.remove_prefix(std::max<std::size_t>(length, 1));
    }
    line += '"';
}

}  // namespace

void append(std::string& line, std::string_view key, std::string_view value)
{
    if (!line.empty())
        line += ' ';
    if (needs_of(key) == 0)
        line += key;
    else
        append_key(line, key);
    line += '=';
    const unsigned all = needs_of(value);
    if ((all & quotes) == 0 && ((all & decoding) == 0 || text::is_utf8(value)))
        line += value;
    else if (all == quotes)
        line.append(1, '"').append(value).append(1, '"');
    else
        append_quoted(line, value);
}

std::string number(double value)
{
    char digits[400];  // the smallest double has 324 decimals
    if (value == 0 || !std::isfinite(value))
        return fmt::format("{}", value == 0          ? (std::signbit(value) ? "-0" : "0")
                                 : std::isnan(value) ? "NaN"
                                 : value > 0         ? "+Inf"
                                                     : "-Inf");
    const auto scientific =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific);
    *scientific.ptr = '\0';  // to_chars() ends nothing, atoi() needs an end
    const std::string_view text{digits, static_cast<std::size_t>(scientific.ptr - digits)};
    const int exponent = std::atoi(text.data() + text.find('e') + 1);
    if (exponent < -4 || exponent >= 6)
        return std::string{text};
    const auto fixed =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed);
    return {digits, fixed.ptr};
}

}  // namespace sonde::logfmt
