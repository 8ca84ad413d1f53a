#include "agent/control/store/audit.h"

#include "agent/control/store/connection.h"

#include <fmt/format.h>

namespace sonde::control::store {

std::string actor_of(std::int64_t tenant, std::string_view token)
{
    return fmt::format("tenant {}, token {}", tenant, lookup_of(token));
}

std::string actor_of(std::int64_t organization)
{
    return fmt::format("organization {}", organization);
}

void audit(Transaction& db, const AuditEntry& entry)
{
    const std::int64_t now = db.now_us();
    db.sql() << "INSERT INTO audit (at_us, actor, action, entity, request_id) "
                "VALUES (:at, :actor, :action, :entity, :request)",
        soci::use(now), soci::use(entry.actor), soci::use(entry.action), soci::use(entry.entity),
        soci::use(entry.request_id);
}

}  // namespace sonde::control::store
