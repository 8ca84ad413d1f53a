#include "config/values.h"

#include <array>
#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>

namespace sonde::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t worth;
};
constexpr std::array durations{
    Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array sizes{
    Unit{"", 1}, Unit{"KiB", 1ULL << 10U}, Unit{"MiB", 1ULL << 20U}, Unit{"GiB", 1ULL << 30U}};

/// Digits and a unit; nullopt when it is anything else or exceeds `most`.
template <class Units>
std::optional<std::uint64_t> parse(std::string_view text, const Units& units, std::uint64_t most)
{
    std::uint64_t count = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (failure != std::errc{})
        return std::nullopt;
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : units)
        if (unit.name == name && count <= most / unit.worth)
            return count * unit.worth;
    return std::nullopt;
}

template <class Units>
std::string print(std::uint64_t value, const Units& units)
{
    for (auto unit = units.rbegin(); unit != units.rend(); ++unit)
        if (value >= unit->worth && value % unit->worth == 0)
            return fmt::format("{}{}", value / unit->worth, unit->name);
    return fmt::format("{}{}", value, units.front().name);
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text)
{
    // Clocks count nanoseconds in 64 bits: what is added to a time must leave room for it.
    constexpr std::uint64_t longest = std::numeric_limits<std::int64_t>::max() / 1'000'000 / 2;
    if (const auto ms = parse(text, durations, longest))
        return std::chrono::milliseconds{*ms};
    return error("bad_value", "\"{}\" is not a duration such as 250ms, 15s, 5m, 1h or 365d", text);
}

Result<std::size_t> parse_size(std::string_view text)
{
    if (const auto bytes = parse(text, sizes, std::numeric_limits<std::size_t>::max()))
        return *bytes;
    return error("bad_value", "\"{}\" is not a size such as 1024, 64KiB, 4MiB or 1GiB", text);
}

Result<bool> parse_bool(std::string_view text)
{
    if (text == "true" || text == "false")
        return text == "true";
    return error("bad_value", "\"{}\" is not true or false", text);
}

std::string print_duration(std::chrono::milliseconds value)
{
    return value.count() == 0 ? "0s" : print(static_cast<std::uint64_t>(value.count()), durations);
}

std::string print_size(std::size_t value)
{
    return print(value, sizes);
}

std::string absolute(const std::string& path, const std::string& base)
{
    if (path.empty() || path.starts_with('/'))
        return path;
    return (std::filesystem::path{base} / path).lexically_normal().string();
}

std::string environment_name(std::string_view path)
{
    std::string name = "SONDE_";
    for (const char c : path)
        name += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    return name;
}

}  // namespace sonde::config
