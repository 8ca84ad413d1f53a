#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/judgement.h"
#include "agent/control/store/checks.h"
#include "agent/control/store/probes.h"
#include "agent/control/store/tenants.h"

#include <set>

namespace sonde::control {
namespace {

constexpr std::string_view invalid = "Invalid label mode";

HttpReply answer_with(std::int64_t mode)
{
    const auto reserved = rules::reserved_labels();
    const std::vector<std::string> names{reserved.begin(), reserved.end()};
    return ok(fmt::format(R"({{"mode":{},"systemLabels":{}}})", mode, quoted(names)));
}

asio::awaitable<HttpReply> get_mode(Call& call)
{
    auto find = [&](Transaction& db) -> Result<std::int64_t> {
        const auto tenant = store::find_tenant(db, call.tenant);
        return tenant ? Result<std::int64_t>{tenant->label_mode()} : store::tenant_gone();
    };
    const auto mode = co_await call.parts.store.read(find);
    if (!mode)
        co_return refuse(mode.error(), invalid);
    co_return answer_with(*mode);
}

/// Whether a tenant may go from one mode to another (spec 04 §4.6).
bool may_move(std::int64_t from, std::int64_t to)
{
    const bool dual_first = from == pb::LABEL_MODE_PREFIXED && to == pb::LABEL_MODE_DUAL_WRITE;
    const bool between = from != pb::LABEL_MODE_PREFIXED && to != pb::LABEL_MODE_PREFIXED &&
                         to <= pb::LABEL_MODE_UNPREFIXED && to > 0;
    return from == to || dual_first || between;
}

template <class Labels>
void collect_reserved(const Labels& labels, std::set<std::string>& into)
{
    for (const pb::Label& label : labels)
        if (rules::is_reserved_label(label.name()))
            into.insert(label.name());
}

/// Names on the tenant's checks and probes that would be written bare beside ours.
std::vector<std::string> colliding(Transaction& db, std::int64_t tenant)
{
    std::set<std::string> names;
    store::each_check(db, tenant,
        [&](const store::StoredCheck& stored) { collect_reserved(stored.check.labels(), names); });
    for (const pb::Probe& probe : store::list_probes(db, tenant))
        if (probe.tenantid() == tenant)
            collect_reserved(probe.labels(), names);
    return {names.begin(), names.end()};
}

/// What came of the wish for a mode.
struct Moved {
    std::int64_t mode = 0;
    std::vector<std::string> colliding;  ///< none: moved
};

Result<Moved> move(const Call& call, Transaction& db, std::int64_t mode)
{
    auto tenant = store::find_tenant(db, call.tenant);
    if (!tenant)
        return store::tenant_gone();
    if (!may_move(tenant->label_mode(), mode))
        return rules::invalid("mode", "cannot go from {} to {}", int{tenant->label_mode()}, mode);
    if (mode == tenant->label_mode())
        return Moved{mode, {}};
    Moved moved{mode, {}};
    if (tenant->label_mode() == pb::LABEL_MODE_PREFIXED)
        moved.colliding = colliding(db, call.tenant);
    if (!moved.colliding.empty())
        return moved;
    tenant->set_label_mode(static_cast<pb::LabelMode>(mode));
    store::save_tenant(db, *tenant);
    return moved;
}

HttpReply refuse_collision(const std::vector<std::string>& names)
{
    auto reply = refuse(boost::beast::http::status::conflict,
        "Labels have names that are reserved without a prefix", "labels: reserved names");
    reply.body() = with_members(std::move(reply.body()), "\"collidingLabels\":" + quoted(names));
    return reply;
}

asio::awaitable<HttpReply> put_mode(Call& call)
{
    if (const auto object = is_object(call.body()); !object)
        co_return refuse(object.error(), invalid);
    const auto mode = integer_member(call.body(), "mode");
    if (!mode)
        co_return refuse(mode.error(), invalid);
    if (!*mode)
        co_return refuse(error("bad_value", "mode: is required"), invalid);
    auto work = [&](Transaction& db) { return move(call, db, **mode); };
    const auto moved = co_await call.parts.store.write(work);
    if (!moved)
        co_return refuse(moved.error(), invalid);
    if (!moved->colliding.empty())
        co_return refuse_collision(moved->colliding);
    co_return answer_with(moved->mode);
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/tenant/label-mode", Credential::access, false, get_mode},
    {verb::put, "/api/v1/tenant/label-mode", Credential::access, true, put_mode},
};

}  // namespace

std::span<const Route> synthetic_label_routes()
{
    return routes;
}

}  // namespace sonde::control
