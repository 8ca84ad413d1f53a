#include "agent/control/http/probe_json.h"

#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "agent/control/store/sessions.h"
#include "config/json.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>

namespace sonde::control {
namespace {

using Numbers = std::array<unsigned, 3>;

/// Major, minor and patch of "v1.2.3" or "1.2.3-rc.1".
std::optional<Numbers> numbers_of(std::string_view version)
{
    if (version.starts_with('v'))
        version.remove_prefix(1);
    const auto parts = text::split(version.substr(0, version.find_first_of("-+")), '.');
    Numbers out{};
    if (parts.size() != out.size())
        return std::nullopt;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto [end, failure] =
            std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), out[i]);
        if (failure != std::errc{} || end != parts[i].data() + parts[i].size())
            return std::nullopt;
    }
    return out;
}

}  // namespace

std::string k6_versions_json(const std::vector<std::string>& versions)
{
    std::map<std::string, std::string> newest;
    for (const std::string& each : versions) {
        const auto numbers = numbers_of(each);
        auto& kept = newest[numbers ? fmt::format("v{}", numbers->front()) : each];
        if (kept.empty() || numbers_of(kept) < numbers)
            kept = each;
    }
    std::string out;
    for (const auto& [name, version] : newest)
        out += fmt::format("{}{}:{}", out.empty() ? "" : ",", quoted(name), quoted(version));
    return "{" + out + "}";
}

ProbePrinter::ProbePrinter(Transaction& db, std::int64_t tenant)
    : k6_{store::k6_versions(db, tenant)}
{}

std::string ProbePrinter::operator()(const pb::Probe& probe) const
{
    std::string json = config::write_json(probe);
    const auto versions = k6_.find(probe.id());
    return versions == k6_.end() ? json
                                 : with_members(std::move(json),
                                       "\"k6Versions\":" + k6_versions_json(versions->second));
}

}  // namespace sonde::control
