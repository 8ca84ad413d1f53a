#pragma once

#include "agent/control/store/transaction.h"

#include <google/protobuf/message.h>

#include <cstdint>
#include <string>

namespace sonde::control::store {

/// A message as it lies in a column.
std::string to_column(Transaction& db, const google::protobuf::Message& message);
/// @throws std::runtime_error when it cannot be read: a key is missing, or the database is broken.
void from_column(Transaction& db, const std::string& column, google::protobuf::Message& into);

/// Unix seconds as the API and probes see them; the two must be the same double (spec 04 §2.1).
inline double seconds(std::int64_t us)
{
    return static_cast<double>(us) / 1e6;
}

/// The time of a change: never the same twice for one object.
std::int64_t next_modified(const Transaction& db, std::int64_t before);

}  // namespace sonde::control::store
