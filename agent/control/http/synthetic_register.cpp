#include "agent/control/http/json_text.h"
#include "agent/control/http/registration.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/audit.h"

namespace sonde::control {
namespace {

struct Wanted {
    std::int64_t stack = 0;
    std::int64_t metrics = 0;
    std::int64_t logs = 0;
};

Result<Wanted> read_wanted(std::string_view body)
{
    if (auto object = is_object(body); !object)
        return object.error();
    Wanted wanted;
    for (const auto& [name, into] : {std::pair{"stackId", &wanted.stack},
             {"metricsInstanceId", &wanted.metrics}, {"logsInstanceId", &wanted.logs}}) {
        const auto value = required_number(body, name);
        if (!value)
            return value.error();
        *into = *value;
    }
    return wanted;
}

/// What a publisher's token may install.
struct Choice {
    const Organization* organization = nullptr;
    const Stack* stack = nullptr;
    const HostedInstance* metrics = nullptr;
    const HostedInstance* logs = nullptr;
};

/// An instance of the organisation, and the one that the directory gives the stack.
Result<const HostedInstance*> instance_for(const Organization& organization, std::int64_t id,
    std::string_view type, const std::optional<std::int64_t>& of_stack, std::string_view member)
{
    auto instance = find_instance(organization, id, type, member);
    if (instance && of_stack && *of_stack != id)
        return error("invalid", "{}: not the instance of this stack", member);
    return instance;
}

Result<Choice> choose(const Directory::Publisher& publisher, const Wanted& wanted)
{
    const Organization& organization = *publisher.organization;
    const Stack* stack = organization.stack(wanted.stack);
    if (!stack || !publisher.covers(wanted.stack))
        return error("invalid", "stackId: unknown stack");
    const auto metrics = instance_for(organization, wanted.metrics, metrics_type,
        stack->metrics_instance_id, "metricsInstanceId");
    if (!metrics)
        return metrics.error();
    const auto logs = instance_for(
        organization, wanted.logs, logs_type, stack->logs_instance_id, "logsInstanceId");
    if (!logs)
        return logs.error();
    return Choice{&organization, stack, *metrics, *logs};
}

struct Installed {
    std::int64_t tenant = 0;
    std::string token;
};

Result<Installed> save(const Call& call, Transaction& db, const Choice& choice)
{
    const pb::Tenant tenant = store::install_tenant(
        db, *choice.organization, *choice.stack, *choice.metrics, *choice.logs, call.token);
    auto token =
        store::issue_token(db, tenant.id(), "install", call.parts.config.max_tokens_per_tenant);
    if (!token)
        return token.error();
    store::audit(db, {store::actor_of(choice.organization->id), "register/install",
                         fmt::format("tenant {}", tenant.id()), call.request_id});
    return Installed{tenant.id(), *token};
}

asio::awaitable<HttpReply> install(Call& call)
{
    const auto wanted = read_wanted(call.body());
    if (!wanted)
        co_return refuse(wanted.error(), invalid_registration);
    const auto directory = call.parts.directory();  // kept while pointers into it are in use
    const Directory::Publisher* publisher = directory->publisher(call.token);
    if (!publisher)  // gone with a new directory
        co_return refuse(error("unauthorized", "unknown token"), invalid_registration);
    const auto choice = choose(*publisher, *wanted);
    if (!choice)
        co_return refuse(choice.error(), invalid_registration);
    auto work = [&](Transaction& db) { return save(call, db, *choice); };
    const auto installed = co_await call.parts.store.write(work);
    if (!installed)
        co_return refuse(installed.error(), invalid_registration, "too many access tokens");
    const store::Registered now{installed->tenant, wanted->metrics, wanted->logs};
    co_return ok(fmt::format(R"({{"accessToken":{},"tenantInfo":{}}})", quoted(installed->token),
        tenant_info(now, *choice->organization)));
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
