#include "agent/control/http/json_text.h"
#include "agent/control/http/registration.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/audit.h"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

namespace sonde::control {
namespace {

using boost::beast::http::status;

/// Who calls: the organisation of an admin token, with the directory that it is part of.
struct Admin {
    std::shared_ptr<const Directory> directory;
    const Organization* organization = nullptr;
};

/// By the admin token in the body (spec 04 §7.3), which is not kept.
/// @return Error "unknown_admin".
Result<Admin> admin_of(const Call& call, const std::string& token)
{
    auto directory = call.parts.directory();
    const Organization* organization = directory->admin(token);
    if (!organization) {
        call.parts.metrics.refused(TokenKind::admin, Refusal::unknown);
        return error("unknown_admin", "apiToken: unknown");
    }
    return Admin{std::move(directory), organization};
}

/// `apiToken`, as the first thing that is read of a body.
Result<std::string> read_token(std::string_view body)
{
    if (auto object = is_object(body); !object)
        return object.error();
    return required_text(body, "apiToken");
}

// --- register/init

struct Begun {
    store::Registered tenant;
    std::string token;
};

Result<store::Registered> only_tenant(Transaction& db, const Admin& admin)
{
    const std::int64_t organization = admin.organization->id;
    const auto known = store::tenants_of(db, organization);
    if (known.size() > 1)
        return error("taken", "the organization has {} tenants", known.size());
    if (known.size() == 1)
        return known.front();
    return store::Registered{store::add_tenant(db, *admin.directory, organization), {}, {}};
}

Result<Begun> begin(const Call& call, Transaction& db, const Admin& admin)
{
    const auto tenant = only_tenant(db, admin);
    if (!tenant)
        return tenant.error();
    auto token =
        store::issue_token(db, tenant->tenant, "init", call.parts.config.max_tokens_per_tenant);
    if (!token)
        return token.error();
    store::audit(db, {store::actor_of(admin.organization->id), "register/init",
                         fmt::format("tenant {}", tenant->tenant), call.request_id});
    return Begun{*tenant, *token};
}

std::string instances_of(const Organization& organization)
{
    std::vector<const HostedInstance*> all;
    for (const HostedInstance& each : organization.instances)
        all.push_back(&each);
    std::sort(all.begin(), all.end(), [](const HostedInstance* a, const HostedInstance* b) {
        return std::tie(a->type, a->id) < std::tie(b->type, b->id);
    });
    return json_list(all, [&](const HostedInstance* each) { return json_of(*each, organization); });
}

asio::awaitable<HttpReply> init(Call& call)
{
    const auto token = read_token(call.body());
    if (!token)
        co_return refuse(token.error(), invalid_registration);
    const auto admin = admin_of(call, *token);
    if (!admin)
        co_return refuse(admin.error(), invalid_registration);
    auto work = [&](Transaction& db) { return begin(call, db, *admin); };
    const auto begun = co_await call.parts.store.write(work);
    if (!begun && begun.error().reason == "quota")
        co_return refuse(begun.error(), invalid_registration, "too many access tokens");
    if (!begun)
        co_return refuse(begun.error(), invalid_registration, "too many tenants");
    co_return ok(
        fmt::format(R"({{"accessToken":{},"tenantInfo":{},"instances":{}}})", quoted(begun->token),
            tenant_info(begun->tenant, *admin->organization), instances_of(*admin->organization)));
}

// --- register/save

struct Selection {
    std::string token;
    std::int64_t metrics = 0;
    std::int64_t logs = 0;
};

Result<Selection> read_selection(std::string_view body)
{
    auto token = read_token(body);
    if (!token)
        return token.error();
    const auto metrics = required_number(body, "metricsInstanceId");
    if (!metrics)
        return metrics.error();
    const auto logs = required_number(body, "logsInstanceId");
    if (!logs)
        return logs.error();
    return Selection{*token, *metrics, *logs};
}

/// What probes publish with: the caller has none, so the directory must hold it (spec 04 §7.5).
/// @return Error "taken" when it does not.
Result<std::string> publisher_token(
    const Organization& organization, const std::vector<const Stack*>& owners)
{
    for (const Stack* owner : owners)
        if (!owner->publisher_token.empty())
            return owner->publisher_token.reveal();
    std::vector<const Stack*> having;
    for (const Stack& stack : organization.stacks)
        if (!stack.publisher_token.empty())
            having.push_back(&stack);
    if (having.size() != 1)
        return error("taken", "no publisher token configured");
    return having.front()->publisher_token.reveal();
}

Result<> select(
    const Call& call, Transaction& db, const Organization& organization, const Selection& selection)
{
    auto tenant = store::find_tenant(db, call.tenant);
    if (!tenant)
        return store::tenant_gone();
    if (tenant->orgid() != organization.id)
        return error("forbidden", "the admin token is of another organization");
    const auto metrics =
        find_instance(organization, selection.metrics, metrics_type, "metricsInstanceId");
    if (!metrics)
        return metrics.error();
    const auto logs = find_instance(organization, selection.logs, logs_type, "logsInstanceId");
    if (!logs)
        return logs.error();
    const auto owners = organization.owners(selection.metrics, selection.logs);
    const auto password = publisher_token(organization, owners);
    if (!password)
        return password.error();
    const Stack* stack = owners.size() == 1 ? owners.front() : nullptr;
    store::select_instances(db, *tenant, stack, **metrics, **logs, *password);
    store::audit(db, {store::actor_of(call.tenant, call.token), "register/save",
                         fmt::format("tenant {}", call.tenant), call.request_id});
    return {};
}

asio::awaitable<HttpReply> save(Call& call)
{
    const auto selection = read_selection(call.body());
    if (!selection)
        co_return refuse(selection.error(), invalid_registration);
    const auto admin = admin_of(call, selection->token);
    if (!admin)
        co_return refuse(admin.error(), invalid_registration);
    auto work = [&](Transaction& db) { return select(call, db, *admin->organization, *selection); };
    const auto saved = co_await call.parts.store.write(work);
    if (!saved)
        co_return refuse(saved.error(), invalid_registration, "cannot save the instances");
    co_return ok("{}");
}

// --- register/viewer-token

struct Viewed {
    std::string token;
    std::int64_t id = 0;
    std::string type;
};

Result<Viewed> read_viewed(std::string_view body)
{
    auto token = read_token(body);
    if (!token)
        return token.error();
    const auto id = required_number(body, "id");
    if (!id)
        return id.error();
    auto type = required_text(body, "type");
    if (!type)
        return type.error();
    if (*type != metrics_type && *type != logs_type)
        return error("bad_value", "type: is not one of {}, {}", metrics_type, logs_type);
    return Viewed{*token, *id, *type};
}

/// The call is all that is remembered: the token is neither stored nor logged (spec 04 §7.6).
Result<> note_view(
    const Call& call, Transaction& db, const Organization& organization, const Viewed& viewed)
{
    store::audit(db, {store::actor_of(organization.id), "register/viewer-token",
                         fmt::format("{} instance {}", viewed.type, viewed.id), call.request_id});
    return {};
}

asio::awaitable<HttpReply> viewer_token(Call& call)
{
    const auto viewed = read_viewed(call.body());
    if (!viewed)
        co_return refuse(viewed.error(), invalid_registration);
    const auto admin = admin_of(call, viewed->token);
    if (!admin)
        co_return refuse(admin.error(), invalid_registration);
    const Organization& of = *admin->organization;
    const HostedInstance* instance = of.instance(viewed->id, viewed->type);
    if (!instance)
        co_return refuse(error("not_found", "{} instance {} not found", viewed->type, viewed->id),
            invalid_registration);
    if (instance->viewer_token.empty())
        co_return refuse(status::not_implemented, "the instance has no viewer token",
            "no viewer token configured");
    auto work = [&](Transaction& db) { return note_view(call, db, of, *viewed); };
    const auto noted = co_await call.parts.store.write(work);
    if (!noted)
        co_return refuse(noted.error(), invalid_registration);
    co_return ok(fmt::format(R"({{"token":{}}})", quoted(instance->viewer_token.reveal())));
}

// --- register/describe

asio::awaitable<HttpReply> describe(Call& call)
{
    const auto token = read_token(call.body());
    if (!token)
        co_return refuse(token.error(), invalid_registration);
    const auto admin = admin_of(call, *token);
    if (!admin)
        co_return refuse(admin.error(), invalid_registration);
    const Organization& of = *admin->organization;
    auto list = [&](Transaction& db) -> Result<std::vector<store::Registered>> {
        return store::tenants_of(db, of.id);
    };
    const auto tenants = co_await call.parts.store.read(list);
    if (!tenants)
        co_return refuse(tenants.error(), invalid_registration);
    const std::string infos =
        json_list(*tenants, [&](const store::Registered& each) { return tenant_info(each, of); });
    co_return ok(fmt::format(R"({{"orgID":{},"tenants":{}}})", of.id, infos));
}

// Deprecated, and still called (spec 04 §3.2 to §3.5).
constexpr Route routes[] = {
    {verb::post, "/api/v1/register/init", Credential::admin, true, init},
    {verb::post, "/api/v1/register/save", Credential::access, true, save},
    {verb::post, "/api/v1/register/viewer-token", Credential::admin, true, viewer_token},
    {verb::post, "/api/v1/register/describe", Credential::admin, true, describe},
};

}  // namespace

std::span<const Route> synthetic_admin_routes()
{
    return routes;
}

}  // namespace sonde::control
