#include "agent/cli/outcome.h"

#include "checkers/reasons.h"

#include <array>

namespace sonde::cli {

CheckStatus status_of(const checkers::Report& report)
{
    if (report.verdict.passed())
        return CheckStatus::ok;
    const auto* reason = checkers::find_reason(report.verdict.code);
    const bool ours = report.verdict.cause.starts_with("local_") || !reason ||
                      reason->layer == "config" || reason->layer == "agent";
    return ours ? CheckStatus::unknown : CheckStatus::critical;
}

std::string_view Outcome::crossed() const
{
    const auto longer = [&](const std::optional<std::chrono::milliseconds>& limit) {
        return report.verdict.passed() && limit &&
               std::chrono::duration<double>(report.duration_seconds) > *limit;
    };
    return longer(limits.crit) ? "crit" : longer(limits.warn) ? "warn" : "";
}

CheckStatus Outcome::status() const
{
    if (const auto limit = crossed(); !limit.empty())
        return limit == "crit" ? CheckStatus::critical : CheckStatus::warning;
    return status_of(report);
}

std::string_view name_of(CheckStatus status)
{
    static constexpr std::string_view names[] = {"ok", "warning", "critical", "unknown"};
    return names[static_cast<std::size_t>(status)];
}

CheckStatus worse(CheckStatus a, CheckStatus b)
{
    static constexpr std::array rank{0, 1, 3, 2};  // unknown stands between warning and critical
    return rank[static_cast<std::size_t>(a)] >= rank[static_cast<std::size_t>(b)] ? a : b;
}

}  // namespace sonde::cli
