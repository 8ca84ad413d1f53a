#pragma once

#include "agent/control/store/transaction.h"
#include "config/schema.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sonde::control {

/// The newest of each major version, as the member `k6Versions` shows them (spec 04 §2.7):
/// {"v1":"v1.2.3"}; a version that is none by semver.org stands under its own name.
std::string k6_versions_json(const std::vector<std::string>& versions);

/// Prints probes as a tenant sees them: with the versions of k6 that their agents have told.
class ProbePrinter {
public:
    ProbePrinter(Transaction& db, std::int64_t tenant);
    std::string operator()(const pb::Probe& probe) const;

private:
    std::map<std::int64_t, std::vector<std::string>> k6_;
};

}  // namespace sonde::control
