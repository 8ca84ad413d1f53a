#include "agent/control/http/alert_body.h"
#include "agent/control/http/routes.h"
#include "agent/control/rules/alert_rules.h"
#include "agent/control/store/checks.h"

namespace sonde::control {
namespace {

using Alerts = std::vector<store::Alert>;

constexpr std::string_view invalid = "Invalid incoming alerts";

HttpReply answer_with(const Alerts& alerts)
{
    return ok(fmt::format(R"({{"alerts":{}}})", json_of(alerts)));
}

asio::awaitable<HttpReply> get_alerts(Call& call)
{
    auto list = [&](Transaction& db) -> Result<Alerts> {
        if (!store::find_check(db, call.tenant, call.id))
            return error("not_found", "check {} not found", call.id);
        return store::list_alerts(db, call.id);
    };
    const auto alerts = co_await call.parts.store.read(list);
    if (!alerts)
        co_return refuse(alerts.error(), invalid);
    co_return answer_with(*alerts);
}

asio::awaitable<HttpReply> put_alerts(Call& call)
{
    const auto wanted = read_alerts(call.body());
    if (!wanted)
        co_return refuse(wanted.error(), invalid);
    auto replace = [&](Transaction& db) -> Result<Alerts> {
        const auto check = store::find_check(db, call.tenant, call.id);
        if (!check)
            return error("not_found", "check {} not found", call.id);
        if (auto fits = rules::fit(*wanted, check->check); !fits)
            return fits.error();
        store::replace_alerts(db, call.id, *wanted);
        return store::list_alerts(db, call.id);
    };
    const auto alerts = co_await call.parts.store.write(replace);
    if (!alerts)
        co_return refuse(alerts.error(), invalid);
    HttpReply reply = answer_with(*alerts);
    reply.result(boost::beast::http::status::accepted);  // clients ask for this one (spec 04 §1.7)
    co_return reply;
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/check/{id}/alerts", Credential::access, false, get_alerts},
    {verb::put, "/api/v1/check/{id}/alerts", Credential::access, true, put_alerts},
};

}  // namespace

std::span<const Route> synthetic_alert_routes()
{
    return routes;
}

}  // namespace sonde::control
