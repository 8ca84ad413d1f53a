#include "agent/base/text.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace sonde::text {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// By the character; -1: it is no digit.
constexpr auto values_of_digits = [] {
    std::array<signed char, 256> values{};
    values.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
    return values;
}();

std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
        }
    }
    return row.back();
}

}  // namespace

std::string base64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto at = [&](std::size_t k) {
            return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
        };
        const unsigned group = at(0) << 16U | at(1) << 8U | at(2);
        out += alphabet[group >> 18U];
        out += alphabet[group >> 12U & 63U];
        out += i + 1 < bytes.size() ? alphabet[group >> 6U & 63U] : '=';
        out += i + 2 < bytes.size() ? alphabet[group & 63U] : '=';
    }
    return out;
}

Result<std::string> from_base64(std::string_view text)
{
    std::string unbroken;
    if (text.find('\n') != std::string_view::npos || text.find('\r') != std::string_view::npos) {
        std::copy_if(text.begin(), text.end(), std::back_inserter(unbroken),
            [](char c) { return c != '\r' && c != '\n'; });
        text = unbroken;
    }
    if (text.size() % 4 != 0)
        return error("bad_base64", "is not base64: its length is no multiple of four");
    const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
    std::string out(text.size() / 4 * 3, '\0');
    unsigned group = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool pad = i + padding >= text.size();
        const int value = pad ? 0 : values_of_digits[static_cast<unsigned char>(text[i])];
        if (value < 0)
            return error("bad_base64", "is not base64: a character at position {}", i);
        group = group << 6U | static_cast<unsigned>(value);
        if (i % 4 == 3) {
            const std::size_t at = i / 4 * 3;
            out[at] = static_cast<char>(group >> 16U & 0xffU);
            out[at + 1] = static_cast<char>(group >> 8U & 0xffU);
            out[at + 2] = static_cast<char>(group & 0xffU);
            group = 0;
        }
    }
    out.erase(out.end() - static_cast<std::ptrdiff_t>(padding), out.end());
    return out;
}

std::string hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    return out;
}

std::size_t character(std::string_view bytes)
{
    const auto at = [&](std::size_t i) {
        return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
    };
    const auto tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
    const unsigned lead = at(0);
    if (lead < 0x80)
        return bytes.empty() ? 0 : 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return tail(1) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool overlong = lead == 0xe0 && at(1) < 0xa0;
        const bool surrogate = lead == 0xed && at(1) > 0x9f;
        return !overlong && !surrogate && tail(1) && tail(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool overlong = lead == 0xf0 && at(1) < 0x90;
        const bool too_large = lead == 0xf4 && at(1) > 0x8f;
        return !overlong && !too_large && tail(1) && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

bool is_utf8(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto length = character(bytes);
        if (length == 0)
            return false;
        bytes.remove_prefix(length);
    }
    return true;
}

std::string repair_utf8(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto length = character(bytes);
        if (length == 0)
            out += "\xef\xbf\xbd";
        else
            out += bytes.substr(0, length);
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string shorten(std::string_view bytes, std::size_t limit)
{
    constexpr std::string_view mark = "...";
    if (bytes.size() <= limit)
        return std::string{bytes};
    std::size_t end = limit > mark.size() ? limit - mark.size() : 0;
    while (end > 0 && (static_cast<unsigned char>(bytes[end]) & 0xc0U) == 0x80U)
        --end;
    return std::string{bytes.substr(0, end)}.append(mark.substr(0, limit));
}

std::string lower(std::string_view text)
{
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view trim(std::string_view text)
{
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + 1);
    }
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known)
{
    std::string_view best;
    std::size_t fewest = std::max<std::size_t>(word.size() / 2, 1) + 1;  // farther is no help
    for (const std::string_view candidate : known)
        if (const auto edits = distance(word, candidate); edits < fewest) {
            fewest = edits;
            best = candidate;
        }
    return best;
}

}  // namespace sonde::text
