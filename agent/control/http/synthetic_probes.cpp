#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/judgement_for.h"
#include "agent/control/http/probe_json.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/probe_rules.h"
#include "agent/control/store/audit.h"
#include "agent/control/store/probes.h"
#include "config/json.h"

#include <array>
#include <utility>

namespace sonde::control {
namespace {

using store::ProbeWithToken;

constexpr std::string_view invalid = "Invalid incoming probe";
constexpr std::array<std::string_view, 11> ignored_on_add = {"id", "tenantId", "public", "online",
    "onlineChange", "version", "commit", "buildstamp", "created", "modified", "k6Versions"};
constexpr std::array<std::string_view, 9> ignored_on_update = {"public", "online", "onlineChange",
    "version", "commit", "buildstamp", "created", "modified", "k6Versions"};

void note(const Call& call, Transaction& db, std::string_view action, std::int64_t probe)
{
    store::audit(db, {store::actor_of(call.tenant, call.token), std::string{action},
                         fmt::format("probe {}", probe), call.request_id});
}

/// `{"probe": …}`, with the token when there is a new one: shown now and never again.
std::string json_of(const ProbeWithToken& saved, const Call& call, Transaction& db)
{
    const ProbePrinter print{db, call.tenant};
    const std::string token =
        saved.token.empty() ? "" : ",\"token\":" + quoted(text::base64(saved.token));
    return fmt::format(R"({{"probe":{}{}}})", print(saved.probe), token);
}

/// What a probe can do that does not say it: by the directory, else by the server's options, which
/// are in the directory's defaults.
void fill_capabilities(const Call& call, pb::Probe& probe)
{
    if (!probe.has_capabilities())
        *probe.mutable_capabilities() = call.parts.directory()->default_capabilities();
}

asio::awaitable<HttpReply> add_probe(Call& call)
{
    auto probe = config::from_json<pb::Probe>(call.body(), {ignored_on_add, nullptr});
    if (!probe)
        co_return refuse(probe.error(), invalid);
    fill_capabilities(call, *probe);
    auto add = [&](Transaction& db) -> Result<std::string> {
        if (auto fits = rules::fit(*probe, judgement_for(call, db)); !fits)
            return fits.error();
        const auto added = store::add_probe(db, call.tenant, *probe);
        if (!added)
            return added.error();
        note(call, db, "probe/add", added->probe.id());
        return json_of(*added, call, db);
    };
    const auto saved = co_await call.parts.store.write(add);
    if (!saved)
        co_return refuse(saved.error(), invalid, "Failed to add probe to database");
    co_return ok(*saved);
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

Error not_found(std::int64_t id)
{
    return error("not_found", "probe {} not found", id);
}

struct Update {
    store::StoredProbe before;
    pb::Probe after;
};

/// The probe as it is to be: what the body does not say of `deprecated` stays.
Result<Update> admit_update(const Call& call, Transaction& db, const pb::Probe& wanted)
{
    if (auto named = identifies(call, wanted.id(), wanted.tenantid()); !named)
        return named.error();
    auto before = store::find_probe(db, call.tenant, wanted.id());
    if (!before)
        return not_found(wanted.id());
    if (auto fits = rules::fit(wanted, judgement_for(call, db)); !fits)
        return fits.error();
    pb::Probe after = wanted;
    if (!raw_member(call.body(), "deprecated"))
        after.set_deprecated(before->probe.deprecated());
    return Update{std::move(*before), std::move(after)};
}

asio::awaitable<HttpReply> update_probe(Call& call)
{
    const auto probe = config::from_json<pb::Probe>(call.body(), {ignored_on_update, nullptr});
    if (!probe)
        co_return refuse(probe.error(), invalid);
    const auto reset = wants_reset(call);
    if (!reset)
        co_return refuse(reset.error(), invalid);
    auto update = [&](Transaction& db) -> Result<std::string> {
        const auto admitted = admit_update(call, db, *probe);
        if (!admitted)
            return admitted.error();
        const auto updated = store::update_probe(db, admitted->before, admitted->after, *reset);
        if (!updated)
            return updated.error();
        if (*reset)
            note(call, db, "probe/reset", probe->id());
        return json_of(*updated, call, db);
    };
    const auto saved = co_await call.parts.store.write(update);
    if (!saved)
        co_return refuse(saved.error(), invalid, "cannot update database");
    co_return ok(*saved);
}

asio::awaitable<HttpReply> list_probes(Call& call)
{
    auto list = [&](Transaction& db) -> Result<std::string> {
        return json_list(store::list_probes(db, call.tenant), ProbePrinter{db, call.tenant});
    };
    const auto probes = co_await call.parts.store.read(list);
    if (!probes)
        co_return refuse(probes.error(), invalid);
    co_return ok(*probes);
}

asio::awaitable<HttpReply> get_probe(Call& call)
{
    auto find = [&](Transaction& db) -> Result<std::string> {
        const auto found = store::find_probe(db, call.tenant, call.id);
        if (!found)
            return not_found(call.id);
        const ProbePrinter print{db, call.tenant};
        return print(found->probe);
    };
    const auto probe = co_await call.parts.store.read(find);
    if (!probe)
        co_return refuse(probe.error(), invalid);
    co_return ok(*probe);
}

asio::awaitable<HttpReply> delete_probe(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        if (auto removed = store::delete_probe(db, call.tenant, call.id); !removed)
            return removed;
        note(call, db, "probe/delete", call.id);
        return {};
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
