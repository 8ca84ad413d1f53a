#include "agent/base/logfmt.h"

#include "agent/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sonde::logfmt {
namespace {

bool special(unsigned char c)
{
    return c <= ' ' || c == '=' || c == '"' || c == 0x7f;
}

/// Printable ASCII that needs neither quotes nor escapes: nearly all there is.
bool all_plain(std::string_view text, bool blanks)
{
    return std::all_of(text.begin(), text.end(), [blanks](char c) {
        return (c > ' ' && c < 0x7f && c != '=' && c != '"' && c != '\\') || (blanks && c == ' ');
    });
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
        break;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 0x7f)
        line += fmt::format("\\u{:04x}", byte);
    else
        line += c;
}

/// Length of the well-formed UTF-8 character at the start of `bytes`; 0 when there is none.
std::size_t character(std::string_view bytes)
{
    for (std::size_t length = 1; length <= std::min<std::size_t>(bytes.size(), 4); ++length)
        if (text::is_utf8(bytes.substr(0, length)))
            return length;
    return 0;
}

void append_key(std::string& line, std::string_view key)
{
    while (!key.empty()) {
        const auto length = character(key);
        if (length > 1 || (length == 1 && !special(static_cast<unsigned char>(key.front()))))
            line += key.substr(0, length);
        key.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_quoted(std::string& line, std::string_view value)
{
    line += '"';
    while (!value.empty()) {
        const auto length = character(value);
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
    if (all_plain(key, false))
        line += key;
    else
        append_key(line, key);
    line += '=';
    if (all_plain(value, false))
        line += value;
    else if (all_plain(value, true))
        line.append(1, '"').append(value).append(1, '"');
    else if (!text::is_utf8(value) || std::any_of(value.begin(), value.end(), [](char c) {
                 return special(static_cast<unsigned char>(c));
             }))
        append_quoted(line, value);
    else
        line += value;
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
