#include "agent/control/http/check_body.h"
#include "agent/control/http/routes.h"
#include "agent/control/store/adhoc.h"
#include "agent/control/store/tenants.h"
#include "config/json.h"

#include <array>

namespace sonde::control {
namespace {

// Of a whole check, as the UI sends it; the two have other types there.
constexpr std::array<std::string_view, 2> ignored = {"id", "tenantId"};

/// A random UUID, version 4 (RFC 9562 §5.4).
std::string new_id()
{
    std::string hex = sha256_hex(new_probe_token()).substr(0, 32);
    hex[12] = '4';
    hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) % 4];
    for (const std::size_t at : {8U, 13U, 18U, 23U})
        hex.insert(at, 1, '-');
    return hex;
}

/// The check of which this is one run. What only a timetable needs is such that the rules have
/// nothing to say to it.
pb::Check check_of(const pb::AdHocCheck& asked)
{
    constexpr std::int64_t of_most_kinds = 120'000;
    constexpr std::int64_t of_long_kinds = 180'000;
    const pb::CheckSettings& settings = asked.settings();
    const bool takes_long =
        settings.has_scripted() || settings.has_multihttp() || settings.has_browser();
    pb::Check check;
    check.set_job("ad hoc");
    check.set_target(asked.target());
    check.set_frequency(takes_long ? of_long_kinds : of_most_kinds);
    check.set_timeout(asked.timeout());
    *check.mutable_settings() = settings;
    *check.mutable_probes() = asked.probes();
    return check;
}

Result<pb::AdHocCheck> accept(const Call& call, Transaction& db, pb::AdHocCheck asked)
{
    store::StoredCheck run{check_of(asked), ""};
    if (auto fits = CheckAdmission{call, db}.judge(run); !fits)
        return fits.error();
    const auto tenant = store::find_tenant(db, call.tenant);
    if (!tenant)
        return store::tenant_gone();
    if (!tenant->has_metricsremote() || !tenant->has_eventsremote())
        return error("taken", "tenant: remotes not set");
    asked.set_id(new_id());
    asked.set_tenantid(call.tenant);
    *asked.mutable_settings() = run.check.settings();
    *asked.mutable_probes() = run.check.probes();
    return asked;
}

/// Has probes run a check once, now (spec 04 §4.4). Its results are in the tenant's logs, by its
/// id.
asio::awaitable<HttpReply> run_check(Call& call)
{
    const auto asked = config::from_json<pb::AdHocCheck>(call.body(), {ignored, nullptr});
    if (!asked)
        co_return refuse(asked.error(), invalid_check);
    auto add = [&](Transaction& db) -> Result<pb::AdHocCheck> {
        auto accepted = accept(call, db, *asked);
        if (accepted)
            store::add_adhoc(db, *accepted);
        return accepted;
    };
    const auto added = co_await call.parts.store.write(add);
    if (!added)
        co_return refuse(added.error(), invalid_check, "The check cannot be run");
    co_return ok(*added);
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/check/adhoc", Credential::access, true, run_check},
};

}  // namespace

std::span<const Route> synthetic_adhoc_routes()
{
    return routes;
}

}  // namespace sonde::control
