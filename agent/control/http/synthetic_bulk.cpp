#include "agent/control/http/check_body.h"
#include "agent/control/http/routes.h"
#include "config/json.h"

#include <set>

namespace sonde::control {
namespace {

constexpr std::size_t most_checks = 1000;

/// The elements of the body, and whether there are neither too few nor too many.
Result<std::vector<std::string>> read_elements(std::string_view body)
{
    auto elements = config::split_json_list(body);
    if (elements && (elements->empty() || elements->size() > most_checks))
        return error("bad_value", "body: must be a list of 1 to {} checks", most_checks);
    return elements;
}

/// Each as by itself; the first that fails decides (spec 04 §4.5).
Result<std::vector<store::CheckUpdate>> admit_all(
    const Call& call, Transaction& db, const std::vector<std::string>& elements)
{
    const CheckAdmission admission{call, db};
    std::set<std::int64_t> ids;
    std::vector<store::CheckUpdate> updates;
    for (const std::string& element : elements) {
        auto update = admit_update(call, db, admission, element);
        if (update && !ids.insert(update->after.check.id()).second)
            update = rules::invalid("id", "is there twice");
        if (!update)
            return error(update.error().reason, "[{}].{}", updates.size(), update.error().message);
        updates.push_back(std::move(*update));
    }
    return updates;
}

asio::awaitable<HttpReply> update_checks(Call& call)
{
    auto update = [&](Transaction& db) -> Result<> {
        const auto elements = read_elements(call.body());
        if (!elements)
            return elements.error();
        auto updates = admit_all(call, db, *elements);
        if (!updates)
            return updates.error();
        return store::update_checks(db, std::move(*updates));
    };
    const auto updated = co_await call.parts.store.write(update);
    if (!updated && updated.error().reason == "not_found")  // which one is for `err` to say, too
        co_return refuse(boost::beast::http::status::not_found, updated.error().message,
            updated.error().message);
    if (!updated)
        co_return refuse(updated.error(), invalid_check, "cannot update database");
    co_return ok(R"({"msg":"Bulk update successful"})");
}

constexpr Route routes[] = {
    {verb::post, "/api/v1/check/update/bulk", Credential::access, true, update_checks, true},
};

}  // namespace

std::span<const Route> synthetic_bulk_routes()
{
    return routes;
}

}  // namespace sonde::control
