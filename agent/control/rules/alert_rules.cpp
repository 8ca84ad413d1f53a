#include "agent/control/rules/alert_rules.h"

#include "agent/base/text.h"
#include "checkers/registry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace sonde::control::rules {
namespace {

struct Known {
    std::string_view name;
    std::array<std::string_view, 3> kinds = {};  ///< of checks; empty: all
    bool has_period = true;
};
constexpr auto known_alerts = std::to_array<Known>({
    {"ProbeFailedExecutionsTooHigh"},
    {"TLSTargetCertificateCloseToExpiring", {"http", "tcp", "grpc"}, false},
    {"HTTPRequestDurationTooHighAvg", {"http"}},
    {"PingRequestDurationTooHighAvg", {"ping"}},
    {"DNSRequestDurationTooHighAvg", {"dns"}},
});

struct Period {
    std::string_view text;
    std::int64_t milliseconds;
};
constexpr std::int64_t minute = 60'000;
constexpr auto periods = std::to_array<Period>({{"5m", 5 * minute}, {"10m", 10 * minute},
    {"15m", 15 * minute}, {"20m", 20 * minute}, {"30m", 30 * minute}, {"1h", 60 * minute}});

bool is_for(const Known& alert, std::string_view kind)
{
    return alert.kinds.front().empty() ||
           std::find(alert.kinds.begin(), alert.kinds.end(), kind) != alert.kinds.end();
}

Result<> fit_period(
    const std::string& path, const Known& of, const std::string& period, const pb::Check& check)
{
    if (!of.has_period)
        return period.empty() ? Result<>{} : invalid(path, "must be empty for {}", of.name);
    const auto found = std::find_if(
        periods.begin(), periods.end(), [&](const Period& each) { return each.text == period; });
    if (found == periods.end())
        return invalid(path, "must be one of 5m, 10m, 15m, 20m, 30m, 1h");
    if (found->milliseconds < check.frequency())
        return invalid(path, "must not be shorter than the check's frequency");
    return {};
}

bool is_web_address(std::string_view url)
{
    const std::string scheme = text::lower(url.substr(0, url.find("://")));
    const std::string_view rest = url.substr(std::min(url.size(), scheme.size() + 3));
    return (scheme == "http" || scheme == "https") && !rest.empty() &&
           std::string_view{"/?#:"}.find(rest.front()) == std::string_view::npos &&
           !has_control(url) && url.find(' ') == std::string_view::npos;
}

Result<> fit_one(const std::string& path, const store::Alert& alert, const pb::Check& check)
{
    const auto kind = checkers::settings_name(check.settings());
    const auto of = std::find_if(known_alerts.begin(), known_alerts.end(),
        [&](const Known& each) { return each.name == alert.name; });
    if (of == known_alerts.end())
        return invalid(path + ".name", "unknown alert");
    if (!is_for(*of, kind))
        return invalid(path + ".name", "{} is not for {} checks", of->name, kind);
    if (!std::isfinite(alert.threshold) || alert.threshold <= 0)
        return invalid(path + ".threshold", "must be above 0");
    if (auto fits = fit_period(path + ".period", *of, alert.period, check); !fits)
        return fits;
    if (!alert.runbook_url.empty() && !is_web_address(alert.runbook_url))
        return invalid(path + ".runbookUrl", "must be an http or https URL");
    return {};
}

}  // namespace

Result<> fit(const std::vector<store::Alert>& alerts, const pb::Check& check)
{
    std::set<std::string> names;
    for (std::size_t i = 0; i < alerts.size(); ++i) {
        const std::string path = fmt::format("alerts[{}]", i);
        if (auto fits = fit_one(path, alerts[i], check); !fits)
            return fits;
        if (!names.insert(alerts[i].name).second)
            return invalid(path + ".name", "is there twice");
    }
    return {};
}

}  // namespace sonde::control::rules
