#pragma once

#include "agent/control/store/transaction.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::control::store {

/// One deed of somebody who may, for whoever must answer for it later (spec 04 §13.7).
struct AuditEntry {
    std::string actor;       ///< from one of the two functions below
    std::string action;      ///< resource and verb of the path: "probe/add", "token/delete"
    std::string entity;      ///< what it was done to: "probe 7"; never a secret
    std::string request_id;  ///< as in the answer's X-Request-Id
};

/// "tenant 2, token AbC…": the caller by the lookup id of an access token.
std::string actor_of(std::int64_t tenant, std::string_view token);
/// "organization 1000": the owner of a publisher's token.
std::string actor_of(std::int64_t organization);

/// Notes a deed. Within its transaction: both are kept, or neither is.
void audit(Transaction& db, const AuditEntry& entry);

}  // namespace sonde::control::store
