#pragma once

#include "agent/control/store/transaction.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sonde::control::store {

/// An alert that a check's owner wants (spec 04 §4.2).
struct Alert {
    std::string name;
    double threshold = 0;
    std::string period;  ///< "5m"; empty where the alert has none
    std::string runbook_url;
    std::string status;  ///< "OK" once it is stored
    std::string error;
    std::int64_t created_s = 0;  ///< Unix time in whole seconds, unlike all other objects
    std::int64_t modified_s = 0;
};

/// In the order in which they were given.
std::vector<Alert> list_alerts(Transaction& db, std::int64_t check);
/// Of all checks of a tenant that have some.
std::map<std::int64_t, std::vector<Alert>> alerts_of_tenant(Transaction& db, std::int64_t tenant);

/// Makes these the check's only ones. One of a name that was there keeps its `created_s`.
void replace_alerts(Transaction& db, std::int64_t check, const std::vector<Alert>& alerts);

}  // namespace sonde::control::store
