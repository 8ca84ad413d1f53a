#pragma once

#include "agent/base/error.h"
#include "config/agent_config.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sonde::control::rules {

/// What the API accepts depends on the server's options and on the tenant.
struct Judgement {
    const config::ControlConfig& config;
    bool extended = false;  ///< limits.profile of the tenant's stack, else of the server
    std::int64_t max_metric_labels = 22;
    std::int64_t max_log_labels = 15;
    bool labels_unprefixed = false;  ///< the tenant's label mode writes bare names
};

/// Error "invalid" with "member: why".
template <class... Args>
Error invalid(std::string_view member, fmt::format_string<Args...> why, Args&&... args)
{
    return error("invalid", "{}: {}", member, fmt::format(why, std::forward<Args>(args)...));
}

bool has_control(std::string_view text);  ///< U+0000 to U+001F, U+007F

/// The names that labels of ours have (spec 04 §6.4).
std::span<const std::string_view> reserved_labels();
bool is_reserved_label(std::string_view name);

/// How many labels a user may put on a check, for metrics and for logs (spec 04 §4.6).
std::int64_t most_metric_labels(const Judgement& judgement);
std::int64_t most_log_labels(const Judgement& judgement);

}  // namespace sonde::control::rules
