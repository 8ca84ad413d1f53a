#include "agent/cli/go_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sonde::cli {
namespace {

struct Unit {
    std::string_view name;
    double milliseconds;
};
constexpr std::array units{Unit{"ns", 1e-6}, Unit{"us", 1e-3}, Unit{"\u00b5s", 1e-3}, Unit{"ms", 1},
    Unit{"s", 1e3}, Unit{"m", 60e3}, Unit{"h", 3600e3}};
constexpr double longest_ms = 100.0 * 365 * 24 * 3600e3;

bool is_in(std::string_view text, std::span<const std::string_view> words)
{
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// Takes a number and its unit from the front. @return milliseconds; negative: there are none.
double take_part(std::string_view& text)
{
    double count = 0;
    const auto [end, bad] =
        std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
    if (bad != std::errc{} || !std::isfinite(count))
        return -1;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto name = text.substr(0, text.find_first_of("0123456789.+-"));
    text.remove_prefix(name.size());
    for (const Unit& unit : units)
        if (unit.name == name)
            return count * unit.milliseconds;
    return -1;
}

}  // namespace

Result<bool> parse_go_bool(std::string_view text)
{
    static constexpr std::string_view yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static constexpr std::string_view no[] = {"0", "f", "F", "FALSE", "false", "False"};
    if (is_in(text, yes))
        return true;
    if (is_in(text, no))
        return false;
    return error("bad_value", "\"{}\" is not true or false", text);
}

Result<std::chrono::milliseconds> parse_go_duration(std::string_view text)
{
    double sum = 0;
    bool good = !text.empty() && text.front() != '-';
    for (std::string_view rest = text == "0" ? "" : text; good && !rest.empty();) {
        const double part = take_part(rest);
        good = part >= 0 && (sum += part) <= longest_ms;
    }
    const double whole = std::round(sum);
    if (!good || std::abs(sum - whole) > 1e-7)
        return error("bad_value", "\"{}\" is not a duration such as 30s, 1m or 1m30s", text);
    return std::chrono::milliseconds{static_cast<std::int64_t>(whole)};
}

}  // namespace sonde::cli
