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

void append_quoted(std::string& line, std::string_view value, bool utf8)
{
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    const std::string whole = utf8 ? std::string{value} : text::repair_utf8(value);
    line += '"';
    for (std::size_t i = 0; i < whole.size(); ++i)
        if (!utf8 && whole.compare(i, replacement.size(), replacement) == 0) {
            line += "\\ufffd";
            i += replacement.size() - 1;
        } else {
            append_escaped(line, whole[i]);
        }
    line += '"';
}

}  // namespace

void append(std::string& line, std::string_view key, std::string_view value)
{
    if (!line.empty())
        line += ' ';
    const std::string name = text::is_utf8(key) ? std::string{key} : text::repair_utf8(key);
    std::copy_if(name.begin(), name.end(), std::back_inserter(line),
        [](char c) { return !special(static_cast<unsigned char>(c)); });
    line += '=';
    const bool utf8 = text::is_utf8(value);
    if (!utf8 || std::any_of(value.begin(), value.end(),
                     [](char c) { return special(static_cast<unsigned char>(c)); }))
        append_quoted(line, value, utf8);
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
    const std::string_view text{digits, static_cast<std::size_t>(scientific.ptr - digits)};
    const int exponent = std::atoi(text.data() + text.find('e') + 1);
    if (exponent < -4 || exponent >= 6)
        return std::string{text};
    const auto fixed =
        std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed);
    return {digits, fixed.ptr};
}

}  // namespace sonde::logfmt
