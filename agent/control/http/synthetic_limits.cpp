#include "agent/control/http/accounting.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/judgement_for.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/tenants.h"

#include <algorithm>
#include <limits>

namespace sonde::control {
namespace {

constexpr std::string_view invalid = "Invalid request";

/// A count as clients know it: they have 32 bits and no word for "any number".
std::int64_t limit_of(std::int64_t configured)
{
    return configured > 0 ? configured : std::numeric_limits<std::int32_t>::max();
}

/// The capitals are those that clients expect (spec 04 §4.6).
std::string json_of(const pb::TenantLimits& limits, const rules::Judgement& judgement)
{
    return fmt::format(R"({{"MaxChecks":{},"MaxScriptedChecks":{},"MaxBrowserChecks":{},)"
                       R"("MaxMetricLabels":{},"MaxLogLabels":{},"maxAllowedMetricLabels":{},)"
                       R"("maxAllowedLogLabels":{}}})",
        limit_of(limits.maxchecks()), limit_of(limits.maxscriptedchecks()),
        limit_of(limits.maxbrowserchecks()), judgement.max_metric_labels, judgement.max_log_labels,
        rules::most_metric_labels(judgement), rules::most_log_labels(judgement));
}

asio::awaitable<HttpReply> get_limits(Call& call)
{
    auto find = [&](Transaction& db) -> Result<std::string> {
        const auto tenant = store::find_tenant(db, call.tenant);
        if (!tenant)
            return store::tenant_gone();
        return json_of(tenant->limits(), judgement_for(call, db));
    };
    const auto limits = co_await call.parts.store.read(find);
    if (!limits)
        co_return refuse(limits.error(), invalid);
    co_return ok(*limits);
}

/// The labels by which the tenant's costs are told apart.
asio::awaitable<HttpReply> get_cost_labels(Call& call)
{
    auto find = [&](Transaction& db) -> Result<std::vector<std::string>> {
        const auto tenant = store::find_tenant(db, call.tenant);
        if (!tenant)
            return store::tenant_gone();
        const auto& names = tenant->costattributionlabels();
        return std::vector<std::string>{names.begin(), names.end()};
    };
    const auto names = co_await call.parts.store.read(find);
    if (!names)
        co_return refuse(names.error(), invalid);
    co_return ok(fmt::format(R"({{"names":{}}})", quoted(*names)));
}

/// What each class of check costs, of the kinds that this server takes.
asio::awaitable<HttpReply> get_check_info(Call& call)
{
    const auto& kinds = call.parts.config.enabled_kinds;
    std::string classes;
    for (const AccountingClass& each : accounting_classes())
        if (std::find(kinds.begin(), kinds.end(), each.kind) != kinds.end())
            classes += fmt::format(R"({}"{}":{{"CheckType":{},"CheckClass":0,"Series":{}}})",
                classes.empty() ? "" : ",", each.name, each.type, each.series);
    co_return ok(fmt::format(R"({{"AccountingClasses":{{{}}}}})", classes));
}

/// Versions of k6 to choose from: none, since no kind of check that needs it is taken.
asio::awaitable<HttpReply> get_k6_channels(Call&)
{
    co_return ok(R"({"channels":[]})");
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/tenant/limits", Credential::access, false, get_limits},
    {verb::get, "/api/v1/tenant/cals", Credential::access, false, get_cost_labels},
    {verb::get, "/api/v1/checks/info", Credential::access, false, get_check_info},
    {verb::get, "/api/v1/channels/k6", Credential::access, false, get_k6_channels},
};

}  // namespace

std::span<const Route> synthetic_limit_routes()
{
    return routes;
}

}  // namespace sonde::control
