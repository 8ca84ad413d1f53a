#pragma once

#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sonde::control::store {

// Sessions (spec 04 §9.3): who is online, whichever replica serves the stream. Times are those of
// the database. For Store::presence().

/// Begins a session: takes the lease unless another session holds it, notes the agent's version.
/// @param unconfirmed how long it waits for a stream to confirm it.
/// @return the number of the session; nullopt: somebody else is there.
std::optional<std::int64_t> begin_session(Transaction& db, std::int64_t probe,
    const pb::ProbeInfo& info, std::chrono::seconds unconfirmed);

struct Session {
    std::int64_t number = 0;
    std::int64_t meta_version = 0;  ///< of the probe data that its begin answered with
};
/// A stream of this replica takes the probe's session that waits for one, wherever it has begun.
/// @return nullopt: there is none.
std::optional<Session> confirm_session(Transaction& db, std::int64_t probe,
    const std::string& replica, std::chrono::milliseconds lease);
/// @return whether the session still holds the lease.
bool renew_session(
    Transaction& db, std::int64_t probe, std::int64_t session, std::chrono::milliseconds lease);
void end_session(Transaction& db, std::int64_t probe, std::int64_t session);
void end_sessions_of(Transaction& db, const std::string& replica);
void end_all_sessions(Transaction& db);
/// Those whose lease is over: their replica is gone, or no stream has confirmed them.
void expire_sessions(Transaction& db);
/// What this probe's agent has is of the version of probe data that its session began with, if that
/// was long enough ago.
void note_delivered(Transaction& db, std::int64_t probe, std::chrono::seconds after);

/// What an agent says of the k6 it has (spec 01 §11.3).
void note_k6_versions(
    Transaction& db, std::int64_t probe, const std::vector<std::string>& versions);
/// Of the tenant's probes and all public ones that have said so.
std::map<std::int64_t, std::vector<std::string>> k6_versions(Transaction& db, std::int64_t tenant);

}  // namespace sonde::control::store
