#pragma once

#include "agent/base/error.h"
#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control::store {

/// A check with the member that only the HTTP API knows.
struct StoredCheck {
    pb::Check check;
    std::string folder_uid;
    std::int64_t modified_us = 0;  ///< `modified` to the microsecond
};

/// A check as the transaction has found it, and as it is to be.
struct CheckUpdate {
    StoredCheck before;
    StoredCheck after;
};

/// What no two checks of a tenant share: 64 hex digits for a job and a target.
std::string identity_of(std::string_view job, std::string_view target);

std::optional<StoredCheck> find_check(Transaction& db, std::int64_t tenant, std::int64_t id);
/// By what is unique in a tenant.
std::optional<StoredCheck> find_check(
    Transaction& db, std::int64_t tenant, std::string_view job, std::string_view target);
/// All of the tenant's, by id, one at a time: there may be many.
void each_check(
    Transaction& db, std::int64_t tenant, const std::function<void(const StoredCheck&)>& take);

/// Whether no other check of the tenant has this job and target. @return Error "taken".
Result<> pair_is_free(Transaction& db, std::int64_t tenant, const pb::Check& check);

/// @return the check with its id and times; Error "taken" when job and target are in use,
///     "unauthorized" when the tenant is gone.
Result<StoredCheck> add_check(Transaction& db, std::int64_t tenant, StoredCheck check);
/// @return the check with its new time; Error "taken".
Result<StoredCheck> update_check(Transaction& db, CheckUpdate update);
/// Updates all or none: what they have together is judged at the end. @return Error "taken".
Result<> update_checks(Transaction& db, std::vector<CheckUpdate> updates);
/// @return Error "not_found".
Result<> delete_check(Transaction& db, std::int64_t tenant, std::int64_t id);

/// How many checks a tenant has.
std::int64_t count_checks(Transaction& db, std::int64_t tenant);

/// What a probe has to run now (spec 04 §9.2), and the tenants of it.
struct ToRun {
    std::vector<pb::Check> checks;
    std::map<std::int64_t, pb::Tenant> tenants;
};
ToRun checks_to_run(Transaction& db, std::int64_t probe);

}  // namespace sonde::control::store
