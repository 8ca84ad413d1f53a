#pragma once

#include <cstdint>

namespace sonde::control {
class Transaction;
}

namespace sonde::control::store {

/// How much there is, of all tenants together.
struct Totals {
    std::int64_t tenants = 0;  ///< without the operator
    std::int64_t tokens = 0;   ///< access tokens
    std::int64_t probes = 0;
    std::int64_t probes_online = 0;  ///< at whichever replica
    std::int64_t checks = 0;
};
Totals totals(Transaction& db);

}  // namespace sonde::control::store
