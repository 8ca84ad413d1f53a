#pragma once

#include "agent/base/error.h"
#include "agent/control/directory.h"
#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sonde::control::store {

inline constexpr std::int64_t operator_tenant = 1;  ///< owns public probes, has no tokens

/// A token is checked before the transaction that it asks for, and its tenant may go in between.
bool tenant_exists(Transaction& db, std::int64_t id);
Error tenant_gone();  ///< "unauthorized"

/// The tenant with its remotes' passwords; nullopt: there is none. The operator's is not found.
std::optional<pb::Tenant> find_tenant(Transaction& db, std::int64_t id);

/// Registers a stack, or renews what is known of it (spec 04 §7.4): remotes of the two instances,
/// `password` for both, limits of the directory. Probes concerned are touched.
pb::Tenant install_tenant(Transaction& db, const Organization& organization, const Stack& stack,
    const HostedInstance& metrics, const HostedInstance& logs, const std::string& password);

/// Saves what has changed in a tenant and sets its `modified`.
/// @param probes_must_hear remotes or status changed.
void save_tenant(Transaction& db, pb::Tenant& tenant, bool probes_must_hear);

/// Deletes a tenant with its tokens. @return Error "not_empty" with both counts.
Result<> delete_tenant(Transaction& db, std::int64_t id);

// --- access tokens (spec 04 §8)

/// The tenant of an access token; nullopt: unknown. Takes as long for both.
std::optional<std::int64_t> tenant_of_token(Transaction& db, std::string_view token);

/// A new token for a tenant. @return Error "quota" when it has `most` already,
/// "unauthorized" when the tenant is gone.
Result<std::string> issue_token(
    Transaction& db, std::int64_t tenant, std::string_view origin, std::int64_t most);

/// @return whether there was such a token.
bool delete_token(Transaction& db, std::string_view token);

}  // namespace sonde::control::store
