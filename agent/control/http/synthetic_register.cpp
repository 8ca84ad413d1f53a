#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/tenants.h"

namespace sonde::control {
namespace {

std::string json_of(const HostedInstance& instance, const Organization& organization)
{
    std::string usage;
    if (instance.type == "prometheus")
        usage = fmt::format(R"("currentActiveSeries":{},"currentDpm":{},)",
            instance.current_active_series, instance.current_dpm);
    return fmt::format(
        R"({{"id":{},"orgSlug":{},"orgName":{},"clusterSlug":{},"clusterName":{},"type":{},"name":{},"url":{},"description":{},"status":{},{}"currentUsage":{}}})",
        instance.id, quoted(organization.slug), quoted(organization.name),
        quoted(instance.cluster_slug), quoted(instance.cluster_name), quoted(instance.type),
        quoted(instance.name), quoted(instance.url), quoted(instance.description),
        quoted(instance.status), usage, instance.current_usage);
}

struct Wanted {
    std::int64_t stack = 0;
    std::int64_t metrics = 0;
    std::int64_t logs = 0;
};

Result<Wanted> read_wanted(std::string_view body)
{
    Wanted wanted;
    for (const auto& [name, into] : {std::pair{"stackId", &wanted.stack},
             {"metricsInstanceId", &wanted.metrics}, {"logsInstanceId", &wanted.logs}}) {
        const auto value = integer_member(body, name);
        if (!value)
            return value.error();
        if (value->value_or(0) < 1)
            return error("bad_value", "{}: is required, an integer from 1", name);
        *into = **value;
    }
    return wanted;
}

/// An instance the stack may use: of the organisation, and the one the directory gives it.
Result<const HostedInstance*> find_instance(const Organization& organization, std::int64_t id,
    std::string_view type, const std::optional<std::int64_t>& of_stack, std::string_view member)
{
    const HostedInstance* instance = organization.instance(id, type);
    if (!instance)
        return error("invalid", "{}: the organization has no such {} instance", member, type);
    if (of_stack && *of_stack != id)
        return error("invalid", "{}: not the instance of this stack", member);
    return instance;
}

asio::awaitable<HttpReply> install(Call& call)
{
    constexpr std::string_view invalid = "Invalid registration";
    if (!raw_member(call.body(), "stackId") && !raw_member(call.body(), "metricsInstanceId") &&
        call.body().find('{') == std::string_view::npos)
        co_return refuse(error("bad_json", "body: must be a JSON object"), invalid);
    const auto wanted = read_wanted(call.body());
    if (!wanted)
        co_return refuse(wanted.error(), invalid);
    const auto directory = call.parts.directory();  // kept while pointers into it are in use
    const Directory::Publisher& publisher = *directory->publisher(call.token);
    const Organization& organization = *publisher.organization;
    const Stack* stack = organization.stack(wanted->stack);
    if (!stack || !publisher.covers(wanted->stack))
        co_return refuse(error("invalid", "stackId: unknown stack"), invalid);
    const auto metrics = find_instance(organization, wanted->metrics, "prometheus",
        stack->metrics_instance_id, "metricsInstanceId");
    if (!metrics)
        co_return refuse(metrics.error(), invalid);
    const auto logs = find_instance(
        organization, wanted->logs, "logs", stack->logs_instance_id, "logsInstanceId");
    if (!logs)
        co_return refuse(logs.error(), invalid);

    struct Installed {
        std::int64_t tenant;
        std::string token;
    };
    auto save = [&](Transaction& db) -> Result<Installed> {
        const pb::Tenant tenant =
            store::install_tenant(db, organization, *stack, **metrics, **logs, call.token);
        auto token =
            store::issue_token(db, tenant.id(), "install", call.parts.config.max_tokens_per_tenant);
        if (!token)
            return token.error();
        return Installed{tenant.id(), *token};
    };
    const auto installed = co_await call.parts.store.write(save);
    if (!installed)
        co_return refuse(installed.error(), invalid, "too many access tokens");
    co_return ok(fmt::format(
        R"({{"accessToken":{},"tenantInfo":{{"id":{},"metricInstance":{},"logInstance":{}}}}})",
        quoted(installed->token), installed->tenant, json_of(**metrics, organization),
        json_of(**logs, organization)));
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/register/install", Credential::publisher, true, install},
};

}  // namespace

std::span<const Route> synthetic_register_routes()
{
    return routes;
}

}  // namespace sonde::control
