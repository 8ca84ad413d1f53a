#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/judgement_for.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/probe_rules.h"
#include "agent/control/store/probes.h"
#include "config/json.h"

#include <array>

namespace sonde::control {
namespace {

using store::ProbeWithToken;

constexpr std::string_view invalid = "Invalid incoming probe";
constexpr std::array<std::string_view, 11> ignored_on_add = {"id", "tenantId", "public", "online",
    "onlineChange", "version", "commit", "buildstamp", "created", "modified", "k6Versions"};
constexpr std::array<std::string_view, 9> ignored_on_update = {"public", "online", "onlineChange",
    "version", "commit", "buildstamp", "created", "modified", "k6Versions"};

HttpReply ok_with(const ProbeWithToken& saved)
{
    std::string token;
    if (!saved.token.empty())  // shown now and never again
        token = ",\"token\":" + quoted(text::base64(saved.token));
    return ok(fmt::format(R"({{"probe":{}{}}})", config::write_json(saved.probe), token));
}

asio::awaitable<HttpReply> add_probe(Call& call)
{
    auto probe = config::from_json<pb::Probe>(call.body(), {ignored_on_add, nullptr});
    if (!probe)
        co_return refuse(probe.error(), invalid);
    if (!probe->has_capabilities()) {
        probe->mutable_capabilities()->set_disablescriptedchecks(
            call.parts.config.disable_scripted_checks);
        probe->mutable_capabilities()->set_disablebrowserchecks(
            call.parts.config.disable_browser_checks);
    }
    auto add = [&](Transaction& db) -> Result<ProbeWithToken> {
        if (auto fits = rules::fit(*probe, judgement_for(call, db)); !fits)
            return fits.error();
        return store::add_probe(db, call.tenant, *probe);
    };
    const auto saved = co_await call.parts.store.write(add);
    if (!saved)
        co_return refuse(saved.error(), invalid, "Failed to add probe to database");
    co_return ok_with(*saved);
}

/// Whether a new token is wanted (spec 04 §3.15). @return Error "bad_value" for what is unclear.
Result<bool> wants_reset(const Call& call)
{
    const auto asked = call.query.find("reset-token");
    if (asked == call.query.end()) {
        const auto member = bool_member(call.body(), "resetToken");
        if (!member)
            return member.error();
        return member->value_or(false);
    }
    const std::string value = text::lower(asked->second);
    if (value.empty() || value == "true" || value == "1")
        return true;
    return error("bad_value", "reset-token: must be empty, true or 1");
}

asio::awaitable<HttpReply> update_probe(Call& call)
{
    const auto probe = config::from_json<pb::Probe>(call.body(), {ignored_on_update, nullptr});
    if (!probe)
        co_return refuse(probe.error(), invalid);
    const auto reset = wants_reset(call);
    if (!reset)
        co_return refuse(reset.error(), invalid);
    auto update = [&](Transaction& db) -> Result<ProbeWithToken> {
        if (auto named = identifies(call, probe->id(), probe->tenantid()); !named)
            return named.error();
        const auto before = store::find_probe(db, probe->id());
        if (!before || before->probe.tenantid() != call.tenant || before->probe.public_())
            return error("not_found", "probe {} not found", probe->id());
        if (auto fits = rules::fit(*probe, judgement_for(call, db)); !fits)
            return fits.error();
        pb::Probe after = *probe;
        if (!raw_member(call.body(), "deprecated"))
            after.set_deprecated(before->probe.deprecated());
        return store::update_probe(db, call.tenant, after, *reset);
    };
    const auto saved = co_await call.parts.store.write(update);
    if (!saved)
        co_return refuse(saved.error(), invalid, "cannot update database");
    co_return ok_with(*saved);
}

asio::awaitable<HttpReply> list_probes(Call& call)
{
    auto list = [&](Transaction& db) -> Result<std::vector<pb::Probe>> {
        return store::list_probes(db, call.tenant);
    };
    const auto probes = co_await call.parts.store.read(list);
    if (!probes)
        co_return refuse(probes.error(), invalid);
    std::string out = "[";
    for (const pb::Probe& probe : *probes)
        out.append(out.size() > 1 ? "," : "").append(config::write_json(probe));
    co_return ok(out + "]");
}

asio::awaitable<HttpReply> get_probe(Call& call)
{
    auto find = [&](Transaction& db) -> Result<pb::Probe> {
        const auto found = store::find_probe(db, call.id);
        if (!found || found->probe.tenantid() != call.tenant)
            return error("not_found", "probe {} not found", call.id);
        return found->probe;
    };
    const auto probe = co_await call.parts.store.read(find);
    if (!probe)
        co_return refuse(probe.error(), invalid);
    co_return ok(*probe);
}

asio::awaitable<HttpReply> delete_probe(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        return store::delete_probe(db, call.tenant, call.id);
    };
    const auto removed = co_await call.parts.store.write(remove);
    if (!removed)
        co_return refuse(removed.error(), invalid);
    co_return ok(
        fmt::format(R"({{"msg":"probe deleted","probeID":{},"probeId":{}}})", call.id, call.id));
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/probe/add", Credential::access, true, add_probe},
    {verb::post, "/api/v1/probe/update", Credential::access, true, update_probe},
    {verb::get, "/api/v1/probe/list", Credential::access, false, list_probes},
    {verb::get, "/api/v1/probe/{id}", Credential::access, false, get_probe},
    {verb::delete_, "/api/v1/probe/delete/{id}", Credential::access, false, delete_probe},
};

}  // namespace

std::span<const Route> synthetic_probe_routes()
{
    return routes;
}

}  // namespace sonde::control
