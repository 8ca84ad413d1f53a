#pragma once

#include "agent/base/error.h"
#include "agent/control/directory.h"
#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control::store {

/// A probe with what only its streams need.
struct StoredProbe {
    pb::Probe probe;
    std::int64_t meta_version = 0;  ///< moves when checks must be sent again with new probe data
    std::int64_t delivered_meta_version = 0;
    std::int64_t modified_us = 0;  ///< `modified` to the microsecond
};

std::optional<StoredProbe> find_probe(Transaction& db, std::int64_t id);
/// One that the tenant may change: no public one.
std::optional<StoredProbe> find_probe(Transaction& db, std::int64_t tenant, std::int64_t id);

/// The tenant's probes and all public ones, by id.
std::vector<pb::Probe> list_probes(Transaction& db, std::int64_t tenant);
std::set<std::int64_t> usable_probes(Transaction& db, std::int64_t tenant);  ///< the ids of those

/// Whether the agent that registered last puts secrets into checks (`secretManagerEnabled`).
bool supports_secrets(Transaction& db, std::int64_t probe);

struct ProbeWithToken {
    pb::Probe probe;
    std::string token;  ///< raw; empty: not changed
};
/// @return Error "taken" when the name is in use.
Result<ProbeWithToken> add_probe(Transaction& db, std::int64_t tenant, const pb::Probe& probe);

/// Replaces what a tenant may change in a probe of its own, as the transaction has found it.
/// @return Error "taken".
Result<ProbeWithToken> update_probe(
    Transaction& db, const StoredProbe& before, const pb::Probe& probe, bool reset_token);

/// @return Error "not_found", or "in_use" while a check lists it.
Result<> delete_probe(Transaction& db, std::int64_t tenant, std::int64_t id);

/// Makes the operator's probes what the directory says. @return Error "taken" with the name.
Result<> apply_public_probes(Transaction& db, const std::vector<PublicProbe>& probes);

/// The entry of the probe in this very process, with a token made now (spec 07 §3.1).
Result<ProbeWithToken> embed_probe(Transaction& db, std::string_view key, const pb::Probe& probe);

// --- the probe's side

/// The probe of a token in any of its spellings (spec 04 §9.1); nullopt: unknown.
std::optional<std::int64_t> probe_of_token(Transaction& db, std::string_view presented);

}  // namespace sonde::control::store
