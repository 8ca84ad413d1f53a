#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace sonde::config {

/// A value that never prints: logs, errors and dumps show `<redacted>`.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_{std::move(value)} {}

    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }
    bool operator==(const Secret&) const = default;

private:
    std::string value_;
};

}  // namespace sonde::config

template <>
struct fmt::formatter<sonde::config::Secret> : fmt::formatter<std::string_view> {
    template <class Context>
    auto format(const sonde::config::Secret&, Context& context) const
    {
        return fmt::formatter<std::string_view>::format("<redacted>", context);
    }
};
