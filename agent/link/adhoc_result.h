#pragma once

#include "agent/base/error.h"
#include "checkers/run_once.h"
#include "config/schema.h"
#include "exporters/payload.h"

#include <chrono>
#include <optional>
#include <string>

namespace sonde::link {

/// What came of an ad-hoc check.
struct AdHocResult {
    const pb::AdHocCheck& check;
    const pb::Probe& probe;
    std::string kind;    ///< "http"; empty: nobody knows
    std::string target;  ///< what the checker is pointed at: for DNS the server
    std::chrono::system_clock::time_point time;  ///< the start of the run
    const checkers::Report* report = nullptr;    ///< null: it could not be run
    Error refusal = {};                          ///< why not
};

/// The one log entry that tells of it, for the tenant that asked (spec 01 §8, spec 03 §9). For a
/// check that could not be run, too: `error` says why, and `timeseries` that it failed.
exporters::Payload to_payload(const AdHocResult& result);

}  // namespace sonde::link
