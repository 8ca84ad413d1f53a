#pragma once

#include "agent/base/error.h"
#include "agent/control/store/transaction.h"

namespace sonde::control {

/// The version of the tables that this program works with.
int newest_schema();

/// Brings the tables to a version, whatever older one they have. Within a write: two replicas that
/// start together do it one after the other, and the second finds it done.
/// @return Error "database" when a newer program made them. @throws std::exception.
Result<> migrate(Transaction& db, const Dialect& dialect, int upto = newest_schema());

}  // namespace sonde::control
