#pragma once

#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <cstddef>
#include <cstdint>

namespace sonde::control::store {

// How many runs there were and how long they took, for whoever bills them (spec 01 §11.1): table
// `telemetry`, by month (UTC), tenant, probe, region, class of checks and the labels by which the
// tenant attributes costs. An agent's figures only grow for as long as its process lives, so what
// each process has said last is kept, too, and the difference is what is added.

/// What became of the entries of a message.
struct Reckoned {
    std::size_t taken = 0;
    std::size_t dropped =
        0;  ///< of tenants that the probe does not work for, or with broken figures
};
/// An entry that says less than before came late and adds nothing.
Reckoned add_telemetry(Transaction& db, std::int64_t probe, const pb::RegionTelemetry& figures);

/// Forgets what processes said that have long been silent; the sums stay.
void forget_silent_agents(Transaction& db);

}  // namespace sonde::control::store
