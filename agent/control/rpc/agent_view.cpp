#include "agent/control/rpc/agent_view.h"

#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "checkers/registry.h"

#include <algorithm>
#include <string_view>

namespace sonde::control {
namespace {

constexpr std::int64_t default_metric_labels = 22;
constexpr std::int64_t default_log_labels = 15;

template <class Labels>
void note(const Labels& labels, double since, Unsplittable& into)
{
    for (const pb::Label& label : labels)
        if (label.value().find_first_of(",=") != std::string::npos)
            into[label.name()] = std::max(into[label.name()], since);
}

bool one_kind(const pb::CheckSettings& settings)
{
    const auto kind = checkers::kind_of(settings);
    return kind || kind.error().reason == "not_supported";
}

}  // namespace

pb::Probe for_agents(pb::Probe probe, const config::ControlConfig& config)
{
    const auto enabled = [&](std::string_view kind) {
        return std::find(config.enabled_kinds.begin(), config.enabled_kinds.end(), kind) !=
               config.enabled_kinds.end();
    };
    if (!enabled("scripted") && !enabled("multihttp"))
        probe.mutable_capabilities()->set_disablescriptedchecks(true);
    if (!enabled("browser"))
        probe.mutable_capabilities()->set_disablebrowserchecks(true);
    return probe;
}

bool bearable(const pb::Check& check)
{
    return one_kind(check.settings()) && check.ByteSizeLong() < largest_message;
}

bool bearable(const pb::AdHocCheck& check)
{
    return one_kind(check.settings()) && check.ByteSizeLong() < largest_message;
}

pb::Tenant for_agents(pb::Tenant tenant)
{
    if (tenant.has_limits()) {
        if (tenant.limits().maxmetriclabels() <= 0)
            tenant.mutable_limits()->set_maxmetriclabels(default_metric_labels);
        if (tenant.limits().maxloglabels() <= 0)
            tenant.mutable_limits()->set_maxloglabels(default_log_labels);
    }
    if (tenant.secretstore().url().empty() || tenant.secretstore().token().empty())
        tenant.clear_secretstore();
    return tenant;
}

pb::Tenant without(const Unsplittable& labels, pb::Tenant tenant)
{
    auto& names = *tenant.mutable_costattributionlabels();
    for (auto name = names.begin(); name != names.end();) {
        const auto found = labels.find(*name);
        if (found == labels.end()) {
            ++name;
            continue;
        }
        tenant.set_modified(std::max(tenant.modified(), found->second));
        name = names.erase(name);
    }
    return tenant;
}

pb::Tenant for_agents(Transaction& db, pb::Tenant tenant, Metrics& metrics)
{
    tenant = for_agents(std::move(tenant));
    if (tenant.costattributionlabels().empty())
        return tenant;
    Unsplittable labels;
    store::each_check(db, tenant.id(), [&](const store::StoredCheck& each) {
        note(each.check.labels(), each.check.modified(), labels);
    });
    for (const pb::Probe& probe : store::list_probes(db, tenant.id()))
        note(probe.labels(), probe.modified(), labels);
    const int named = tenant.costattributionlabels_size();
    tenant = without(labels, std::move(tenant));
    metrics.omitted(named - tenant.costattributionlabels_size());
    return tenant;
}

}  // namespace sonde::control
