#include "agent/control/store/adhoc.h"

#include "agent/control/store/records.h"
#include "agent/control/store/statement.h"
#include "agent/control/store/tenants.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace sonde::control::store {
namespace {

struct Row {
    std::int64_t tenant = 0;
    std::string body;
    std::int64_t created = 0;
};

std::int64_t before(const Transaction& db, std::chrono::seconds ago)
{
    return db.now_us() - std::chrono::microseconds{ago}.count();
}

std::vector<Row> take_rows(Transaction& db, std::int64_t probe, std::chrono::seconds waiting_for)
{
    const std::int64_t since = before(db, waiting_for);
    Row row;
    std::vector<Row> taken;
    auto rows = executed(db,
        "DELETE FROM adhoc WHERE probe_id = :probe AND created_us > :since "
        "RETURNING tenant_id, body, created_us",
        soci::use(probe), soci::use(since), soci::into(row.tenant), soci::into(row.body),
        soci::into(row.created));
    while (rows.fetch())
        taken.push_back(row);
    std::stable_sort(taken.begin(), taken.end(),
        [](const Row& a, const Row& b) { return a.created < b.created; });
    return taken;
}

}  // namespace

void add_adhoc(Transaction& db, const pb::AdHocCheck& check)
{
    const std::string id = check.id();
    const std::int64_t tenant = check.tenantid();
    const std::string body = to_column(db, check);
    const std::int64_t now = db.now_us();
    for (const std::int64_t probe : check.probes()) {
        db.sql() << "INSERT INTO adhoc (id, probe_id, tenant_id, body, created_us) "
                    "VALUES (:id, :probe, :tenant, :body, :now)",
            soci::use(id), soci::use(probe), soci::use(tenant), soci::use(body), soci::use(now);
        db.touch(probe, ChangeKind::adhoc);
    }
}

std::vector<pb::AdHocRequest> take_adhoc(
    Transaction& db, std::int64_t probe, std::chrono::seconds waiting_for)
{
    std::vector<pb::AdHocRequest> out;
    for (const Row& row : take_rows(db, probe, waiting_for)) {
        const auto tenant = find_tenant(db, row.tenant);
        if (!tenant || tenant->status() != pb::ACTIVE || !tenant->has_metricsremote() ||
            !tenant->has_eventsremote())
            continue;
        pb::AdHocRequest& request = out.emplace_back();
        from_column(db, row.body, *request.mutable_adhoccheck());
        *request.mutable_tenant() = *tenant;
    }
    return out;
}

void expire_adhoc(Transaction& db, std::chrono::seconds after)
{
    const std::int64_t since = before(db, after);
    db.sql() << "DELETE FROM adhoc WHERE created_us <= :since", soci::use(since);
}

}  // namespace sonde::control::store
