#include "agent/control/http/alert_body.h"
#include "agent/control/http/check_body.h"
#include "agent/control/http/json_text.h"
#include "agent/control/http/routes.h"

namespace sonde::control {
namespace {

using store::StoredCheck;

/// All that a check must pass before it is added (spec 04 §1.9, steps 11 to 13).
Result<> admit_new(const Call& call, Transaction& db, StoredCheck& check)
{
    const CheckAdmission admission{call, db};
    if (auto fits = admission.judge(check); !fits)
        return fits;
    if (auto room = admission.has_room(); !room)
        return room;
    return store::pair_is_free(db, call.tenant, check.check);
}

asio::awaitable<HttpReply> add_check(Call& call)
{
    const auto check = read_new_check(call.body());
    if (!check)
        co_return refuse(check.error(), invalid_check);
    auto add = [&](Transaction& db) -> Result<StoredCheck> {
        StoredCheck wanted = *check;
        if (auto admitted = admit_new(call, db, wanted); !admitted)
            return admitted.error();
        return store::add_check(db, call.tenant, wanted);
    };
    const auto saved = co_await call.parts.store.write(add);
    if (!saved)
        co_return refuse(saved.error(), invalid_check, "Failed to add check to database");
    co_return ok(json_of(*saved));
}

asio::awaitable<HttpReply> validate_check(Call& call)
{
    const auto check = read_new_check(call.body());
    if (!check)
        co_return refuse(check.error(), invalid_check);
    auto judge = [&](Transaction& db) -> Result<> {
        StoredCheck wanted = *check;
        return admit_new(call, db, wanted);
    };
    const auto valid = co_await call.parts.store.read(judge);
    if (!valid)
        co_return refuse(valid.error(), invalid_check, "Failed to add check to database");
    co_return ok(R"({"msg":"check is valid"})");
}

asio::awaitable<HttpReply> update_check(Call& call)
{
    auto update = [&](Transaction& db) -> Result<StoredCheck> {
        const CheckAdmission admission{call, db};
        auto admitted = admit_update(call, db, admission, call.body());
        if (!admitted)
            return admitted.error();
        return store::update_check(db, std::move(*admitted));
    };
    const auto saved = co_await call.parts.store.write(update);
    if (!saved)
        co_return refuse(saved.error(), invalid_check, "cannot update database");
    co_return ok(json_of(*saved));
}

asio::awaitable<HttpReply> delete_check(Call& call)
{
    auto remove = [&](Transaction& db) -> Result<> {
        return store::delete_check(db, call.tenant, call.id);
    };
    const auto removed = co_await call.parts.store.write(remove);
    if (!removed)
        co_return refuse(removed.error(), invalid_check);
    co_return ok(fmt::format(R"({{"msg":"check deleted","checkId":{}}})", call.id));
}

/// Whether the query asks for alerts. @return Error "bad_value" for what is unclear.
Result<bool> wants_alerts(const Call& call)
{
    const auto asked = call.query.find("includeAlerts");
    const std::string value = asked == call.query.end() ? "" : asked->second;
    if (value == "true" || value == "1")
        return true;
    if (value.empty() || value == "false" || value == "0")
        return false;
    return error("bad_value", "includeAlerts: must be true or false");
}

using Alerts = std::map<std::int64_t, std::vector<store::Alert>>;

std::string with_alerts_of(const Alerts& alerts, const StoredCheck& stored)
{
    static const std::vector<store::Alert> none;
    const auto of = alerts.find(stored.check.id());
    return with_members(
        json_of(stored), "\"alerts\":" + json_of(of == alerts.end() ? none : of->second));
}

std::string list_of(Transaction& db, std::int64_t tenant, bool with_alerts)
{
    const Alerts alerts = with_alerts ? store::alerts_of_tenant(db, tenant) : Alerts{};
    std::string json = "[";
    store::each_check(db, tenant, [&](const StoredCheck& stored) {
        json.append(json.size() > 1 ? "," : "")
            .append(with_alerts ? with_alerts_of(alerts, stored) : json_of(stored));
    });
    return json + "]";
}

asio::awaitable<HttpReply> list_checks(Call& call)
{
    const auto with_alerts = wants_alerts(call);
    if (!with_alerts)
        co_return refuse(with_alerts.error(), invalid_check);
    // Printed there, too: of many checks that takes longer than the loop should be away.
    auto list = [&](Transaction& db) -> Result<std::string> {
        return list_of(db, call.tenant, *with_alerts);
    };
    auto listed = co_await call.parts.store.read(list);
    if (!listed)
        co_return refuse(listed.error(), invalid_check);
    co_return ok(std::move(*listed));
}

asio::awaitable<HttpReply> get_check(Call& call)
{
    auto find = [&](Transaction& db) -> Result<StoredCheck> {
        auto found = store::find_check(db, call.tenant, call.id);
        if (!found)
            return error("not_found", "check {} not found", call.id);
        return *found;
    };
    const auto check = co_await call.parts.store.read(find);
    if (!check)
        co_return refuse(check.error(), invalid_check);
    co_return ok(json_of(*check));
}

/// The one check with this job and target.
asio::awaitable<HttpReply> query_check(Call& call)
{
    for (const char* name : {"job", "target"})
        if (call.query[name].empty())
            co_return refuse(error("bad_value", "{}: is required", name), invalid_check);
    auto find = [&](Transaction& db) -> Result<StoredCheck> {
        auto found = store::find_check(db, call.tenant, call.query["job"], call.query["target"]);
        if (!found)
            return error("not_found", "check not found");
        return *found;
    };
    const auto check = co_await call.parts.store.read(find);
    if (!check)
        co_return refuse(check.error(), invalid_check);
    co_return ok(json_of(*check));
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/check/add", Credential::access, true, add_check},
    {verb::post, "/api/v1/check/validate", Credential::access, true, validate_check},
    {verb::post, "/api/v1/check/update", Credential::access, true, update_check},
    {verb::delete_, "/api/v1/check/delete/{id}", Credential::access, false, delete_check},
    {verb::get, "/api/v1/check/list", Credential::access, false, list_checks},
    {verb::get, "/api/v1/check/query", Credential::access, false, query_check},
    {verb::get, "/api/v1/check/{id}", Credential::access, false, get_check},
};

}  // namespace

std::span<const Route> synthetic_check_routes()
{
    return routes;
}

}  // namespace sonde::control
