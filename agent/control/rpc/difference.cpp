#include "agent/control/rpc/difference.h"

namespace sonde::control {
namespace {

constexpr std::int64_t default_metric_labels = 22;
constexpr std::int64_t default_log_labels = 15;

}  // namespace

pb::Changes Told::first(const store::ToRun& now)
{
    pb::Changes changes;
    changes.set_isdeltafirstbatch(delta_);
    add_checks(now, changes);
    resend_ = false;
    return changes;
}

std::optional<pb::Changes> Told::next(const store::ToRun& now)
{
    pb::Changes changes;
    add_tenants(now, changes);
    add_checks(now, changes);
    if (changes.checks().empty() && changes.tenants().empty())
        return std::nullopt;
    return changes;
}

void Told::add_checks(const store::ToRun& now, pb::Changes& into)
{
    std::map<std::int64_t, double> listed;
    for (const pb::Check& check : now.checks) {
        const auto before = checks_.find(check.id());
        const bool known = before != checks_.end();
        listed[check.id()] = check.modified();
        if (known && !resend_ && before->second == check.modified())
            continue;
        auto* change = into.add_checks();
        change->set_operation(known ? pb::CHECK_UPDATE : pb::CHECK_ADD);
        *change->mutable_check() = check;
    }
    for (const auto& [id, modified] : checks_)
        if (!listed.contains(id)) {
            auto* change = into.add_checks();
            change->set_operation(pb::CHECK_DELETE);
            change->mutable_check()->set_id(id);
        }
    checks_ = std::move(listed);
}

void Told::add_tenants(const store::ToRun& now, pb::Changes& into)
{
    for (const auto& [id, tenant] : now.tenants) {
        auto& told = tenants_[id];
        if (tenant.modified() <= told)
            continue;
        told = tenant.modified();
        *into.add_tenants() = for_agents(tenant);
    }
}

pb::Tenant for_agents(pb::Tenant tenant)
{
    if (tenant.has_limits()) {
        if (tenant.limits().maxmetriclabels() == 0)
            tenant.mutable_limits()->set_maxmetriclabels(default_metric_labels);
        if (tenant.limits().maxloglabels() == 0)
            tenant.mutable_limits()->set_maxloglabels(default_log_labels);
    }
    if (tenant.secretstore().url().empty() || tenant.secretstore().token().empty())
        tenant.clear_secretstore();
    return tenant;
}

}  // namespace sonde::control
