#include "agent/control/http/judgement_for.h"

#include "agent/control/store/tenants.h"

namespace sonde::control {

rules::Judgement judgement_for(const Call& call, Transaction& db)
{
    rules::Judgement judgement{call.parts.config, call.parts.config.extended_limits};
    const auto tenant = store::find_tenant(db, call.tenant);
    if (!tenant)
        return judgement;
    judgement.labels_unprefixed = tenant->label_mode() != pb::LABEL_MODE_PREFIXED;
    if (tenant->has_limits()) {
        judgement.max_metric_labels = tenant->limits().maxmetriclabels();
        judgement.max_log_labels = tenant->limits().maxloglabels();
    }
    const auto directory = call.parts.directory();
    const Stack* stack = directory->stack(tenant->orgid(), tenant->stackid());
    const auto& limits = stack ? stack->limits : directory->default_limits();
    if (limits)
        judgement.extended = limits->extended.value_or(judgement.extended);
    return judgement;
}

Result<> identifies(const Call& call, std::int64_t id, std::int64_t tenant)
{
    if (id == 0)
        return rules::invalid("id", "is required");
    if (tenant == 0)
        return rules::invalid("tenantId", "is required");
    if (tenant != call.tenant)
        return rules::invalid("tenantId", "is not the tenant of the token");
    return {};
}

}  // namespace sonde::control
