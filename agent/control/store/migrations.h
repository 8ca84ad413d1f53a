#pragma once

#include "agent/base/error.h"
#include "agent/control/store/transaction.h"

namespace sonde::control {

/// Brings the tables to what this program works with, whatever older version they have. Within a
/// write: two replicas that start together do it one after the other, and the second finds it done.
/// @return Error "database" when a newer program made them. @throws std::exception.
Result<> migrate(Transaction& db, const Dialect& dialect);

}  // namespace sonde::control
