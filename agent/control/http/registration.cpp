#include "agent/control/http/registration.h"

#include "agent/control/http/json_text.h"

namespace sonde::control {

std::string json_of(const HostedInstance& instance, const Organization& organization)
{
    std::string usage;
    if (instance.type == metrics_type)
        usage = fmt::format(R"("currentActiveSeries":{},"currentDpm":{},)",
            instance.current_active_series, instance.current_dpm);
    return fmt::format(
        R"({{"id":{},"orgSlug":{},"orgName":{},"clusterSlug":{},"clusterName":{},"type":{},)"
        R"("name":{},"url":{},"description":{},"status":{},{}"currentUsage":{}}})",
        instance.id, quoted(organization.slug), quoted(organization.name),
        quoted(instance.cluster_slug), quoted(instance.cluster_name), quoted(instance.type),
        quoted(instance.name), quoted(instance.url), quoted(instance.description),
        quoted(instance.status), usage, instance.current_usage);
}

std::string tenant_info(const store::Registered& registered, const Organization& organization)
{
    std::string out = fmt::format(R"({{"id":{})", registered.tenant);
    const auto add = [&](std::string_view member, const std::optional<std::int64_t>& id,
                         std::string_view type) {
        const HostedInstance* instance = id ? organization.instance(*id, type) : nullptr;
        if (instance)
            out += fmt::format(R"(,"{}":{})", member, json_of(*instance, organization));
    };
    add("metricInstance", registered.metrics_instance, metrics_type);
    add("logInstance", registered.logs_instance, logs_type);
    return out + "}";
}

Result<std::int64_t> required_number(std::string_view body, std::string_view name)
{
    const auto value = integer_member(body, name);
    if (!value)
        return value.error();
    if (value->value_or(0) < 1)
        return error("bad_value", "{}: is required, an integer from 1", name);
    return **value;
}

Result<std::string> required_text(std::string_view body, std::string_view name)
{
    auto value = text_member(body, name);
    if (!value)
        return value.error();
    if (value->value_or("").empty())
        return error("bad_value", "{}: is required", name);
    return **value;
}

Result<const HostedInstance*> find_instance(const Organization& organization, std::int64_t id,
    std::string_view type, std::string_view member)
{
    const HostedInstance* instance = organization.instance(id, type);
    if (!instance)
        return error("invalid", "{}: the organization has no such {} instance", member, type);
    return instance;
}

}  // namespace sonde::control
