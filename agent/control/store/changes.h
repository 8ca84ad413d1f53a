#pragma once

#include "agent/base/error.h"
#include "agent/control/store/transaction.h"

#include <cstddef>
#include <cstdint>
#include <set>

namespace sonde::control::store {

// The change log (spec 04 §13.2, §13.4). A record says: look again at what is stored for this
// probe. It is no message: records of one kind may be taken together, or seen twice.
//
// A reader keeps the version up to which it has looked, and asks for what is after it. That is
// right only if no record becomes visible behind a later one. A database sequence would not do: a
// transaction that took 41 may commit after 42 was read, and 41 would be missed. So the numbers
// come from one row, and taking them are the last statements before the commit: the row stays
// locked until then, the next transaction waits for it, and a transaction is visible before its
// locks are released. Versions become visible in exactly increasing order, without gaps, whichever
// replica writes. The price is that commits with changes queue behind each other.

struct ChangeState {
    std::int64_t version = 0;  ///< of the latest record
    std::int64_t pruned = 0;   ///< of the latest record that is no longer kept
};
ChangeState change_state(Transaction& db);

/// One record for each. The last statements before the commit.
void add_changes(Transaction& db, const std::set<Change>& changes);

/// What a stream finds that has looked at everything up to some version.
struct News {
    std::int64_t version = 0;    ///< up to which it has looked now
    std::set<ChangeKind> kinds;  ///< of the records of its probe since
};
/// @return Error "behind" when records are no longer kept, or more than `most` are pending.
Result<News> news_after(Transaction& db, std::int64_t probe, std::int64_t after, std::size_t most);

/// The probes with a record after one version, up to another.
std::set<std::int64_t> probes_changed(Transaction& db, std::int64_t after, std::int64_t upto);

/// Forgets what was recorded before a time.
void prune_changes(Transaction& db, std::int64_t before_us);

}  // namespace sonde::control::store
