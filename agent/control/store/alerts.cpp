#include "agent/control/store/alerts.h"

#include "agent/control/store/statement.h"

#include <utility>

namespace sonde::control::store {
namespace {

/// Runs a query for alerts. @return each with its check, in the order of the query.
std::vector<std::pair<std::int64_t, Alert>> select(
    Transaction& db, const std::string& where, std::int64_t of)
{
    std::int64_t check = 0;
    Alert row;
    auto rows = executed(db,
        std::string{"SELECT check_id, name, threshold, period, runbook_url, "
                    "check_alerts.status, error, created_s, modified_s FROM check_alerts "} +
            where + " ORDER BY check_id, position",
        soci::use(of), soci::into(check), soci::into(row.name), soci::into(row.threshold),
        soci::into(row.period), soci::into(row.runbook_url), soci::into(row.status),
        soci::into(row.error), soci::into(row.created_s), soci::into(row.modified_s));
    std::vector<std::pair<std::int64_t, Alert>> found;
    while (rows.fetch())
        found.emplace_back(check, row);
    return found;
}

}  // namespace

std::vector<Alert> list_alerts(Transaction& db, std::int64_t check)
{
    std::vector<Alert> out;
    for (auto& [id, alert] : select(db, "WHERE check_id = :check", check))
        out.push_back(std::move(alert));
    return out;
}

std::map<std::int64_t, std::vector<Alert>> alerts_of_tenant(Transaction& db, std::int64_t tenant)
{
    std::map<std::int64_t, std::vector<Alert>> out;
    for (auto& [check, alert] :
        select(db, "JOIN checks ON checks.id = check_id WHERE tenant_id = :tenant", tenant))
        out[check].push_back(std::move(alert));
    return out;
}

void replace_alerts(Transaction& db, std::int64_t check, const std::vector<Alert>& alerts)
{
    constexpr std::int64_t us_per_s = 1'000'000;
    const std::int64_t now = db.now_us() / us_per_s;
    std::map<std::string, std::int64_t> created;
    for (const Alert& old : list_alerts(db, check))
        created.emplace(old.name, old.created_s);
    db.sql() << "DELETE FROM check_alerts WHERE check_id = :check", soci::use(check);
    int position = 0;
    for (const Alert& alert : alerts) {
        const auto known = created.find(alert.name);
        const std::int64_t since = known == created.end() ? now : known->second;
        db.sql() << "INSERT INTO check_alerts (check_id, name, threshold, period, runbook_url, "
                    "status, error, created_s, modified_s, position) VALUES (:check, :name, "
                    ":threshold, :period, :runbook, 'OK', '', :created, :modified, :position)",
            soci::use(check), soci::use(alert.name), soci::use(alert.threshold),
            soci::use(alert.period), soci::use(alert.runbook_url), soci::use(since), soci::use(now),
            soci::use(position);
        ++position;
    }
}

}  // namespace sonde::control::store
