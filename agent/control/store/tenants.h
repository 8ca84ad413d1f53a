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

inline constexpr std::int64_t operator_tenant = 1;  ///< owns public probes, has no tokens

/// A token is checked before the transaction that it asks for, and its tenant may go in between.
bool tenant_exists(Transaction& db, std::int64_t id);
Error tenant_gone();  ///< "unauthorized"

/// The tenant with its remotes' passwords; nullopt: there is none. The operator's is not found.
std::optional<pb::Tenant> find_tenant(Transaction& db, std::int64_t id);

// --- registration (spec 04 §7.4 to §7.7)

/// Registers a stack, or renews what is known of it: remotes of the two instances, `password` for
/// both, limits of the directory. Probes concerned are touched.
pb::Tenant install_tenant(Transaction& db, const Organization& organization, const Stack& stack,
    const HostedInstance& metrics, const HostedInstance& logs, const std::string& password);

/// A tenant of an organisation and the instances that were selected for it, if they were.
struct Registered {
    std::int64_t tenant = 0;
    std::optional<std::int64_t> metrics_instance;
    std::optional<std::int64_t> logs_instance;
};
std::vector<Registered> tenants_of(Transaction& db, std::int64_t organization);  ///< by id

/// A tenant without a stack and without remotes.
std::int64_t add_tenant(Transaction& db, const Directory& directory, std::int64_t organization);

/// Gives a tenant the remotes of two instances. A `stack` is bound to it unless another tenant has
/// it; null: the tenant's own stays.
void select_instances(Transaction& db, pb::Tenant& tenant, const Stack* stack,
    const HostedInstance& metrics, const HostedInstance& logs, const std::string& password);

/// Brings limits, cost attribution labels and secret stores of all tenants to what the directory
/// says. Tenants whose stack is no longer in it keep theirs (spec 04 §7.1, §7.2).
void apply_directory(Transaction& db, const Directory& directory);

// --- what a tenant has and does

/// Saves what has changed in a tenant, sets its `modified`, and touches the probes that must hear
/// of it (spec 04 §9.4).
void save_tenant(Transaction& db, pb::Tenant& tenant);

/// What the pages of the UI remember, as they gave it; empty: nothing yet.
std::string find_settings(Transaction& db, std::int64_t tenant);
void save_settings(Transaction& db, std::int64_t tenant, const std::string& settings);

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

/// Notes when access tokens were last in use, at most once a minute for each. For
/// Store::presence().
/// @param lookups their lookup ids.
void note_used(Transaction& db, const std::set<std::string>& lookups);

}  // namespace sonde::control::store
