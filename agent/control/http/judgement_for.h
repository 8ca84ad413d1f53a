#pragma once

#include "agent/control/api.h"
#include "agent/control/rules/judgement.h"
#include "agent/control/store/transaction.h"

namespace sonde::control {

/// What the caller's tenant may do: by the directory, its stack, and its label mode.
rules::Judgement judgement_for(const Call& call, Transaction& db);

/// `id` and `tenantId` of a body that names an object (spec 04 §1.9, step 9).
/// @return Error "invalid" when one is missing, or the tenant is another.
Result<> identifies(const Call& call, std::int64_t id, std::int64_t tenant);

}  // namespace sonde::control
