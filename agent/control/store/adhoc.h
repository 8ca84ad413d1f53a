#pragma once

#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <chrono>
#include <cstdint>
#include <vector>

namespace sonde::control::store {

// Checks to be run once, now (spec 04 §4.4). They wait for the streams of their probes, at
// whichever replica, sealed and not for long. A stream takes what it sends: nothing is run twice.

/// How long a request waits for a probe that is just coming back.
inline constexpr std::chrono::seconds adhoc_waits{60};

/// One row for each probe of the check.
void add_adhoc(Transaction& db, const pb::AdHocCheck& check);

/// Removes what has waited for a probe for less than some time, the oldest first, each with its
/// tenant's record. What is of a tenant that may not run checks now, or cannot have their results,
/// is dropped. A single statement takes them: Store::presence() will do.
std::vector<pb::AdHocRequest> take_adhoc(
    Transaction& db, std::int64_t probe, std::chrono::seconds waiting_for = adhoc_waits);

/// Removes what has waited too long.
void expire_adhoc(Transaction& db, std::chrono::seconds after = adhoc_waits);

}  // namespace sonde::control::store
