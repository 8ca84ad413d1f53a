#include "agent/control/store/totals.h"

#include "agent/control/store/connection.h"
#include "agent/control/store/transaction.h"

namespace sonde::control::store {

Totals totals(Transaction& db)
{
    Totals out;
    db.sql() << "SELECT (SELECT count(*) FROM tenants WHERE id <> 1), "
                "(SELECT count(*) FROM tokens), (SELECT count(*) FROM probes), "
                "(SELECT count(*) FROM probes WHERE online = 1), (SELECT count(*) FROM checks)",
        soci::into(out.tenants), soci::into(out.tokens), soci::into(out.probes),
        soci::into(out.probes_online), soci::into(out.checks);
    return out;
}

}  // namespace sonde::control::store
