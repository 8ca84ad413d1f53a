#pragma once

#include "exporters/identities.h"
#include "exporters/tenant_source.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sonde::exporters {

struct LogLine {
    std::chrono::system_clock::time_point time;
    std::string line;  ///< ends in a newline (spec 03 §5.4)
};

/// The lines of one run (spec 03 §5.2, §5.3).
struct LogStream {
    std::vector<Label> labels;               ///< in the order of the stream's text form
    std::vector<Label> structured_metadata;  ///< the same for every line
    std::vector<LogLine> lines;
};

/// What one run, republication or end of a check publishes, already labelled; or what is no
/// check's: an ad-hoc result, the agent's own metrics.
struct Payload {
    TenantKey tenant;
    std::int64_t timestamp_ms = 0;             ///< of all samples
    std::shared_ptr<const Identities> series;  ///< shared from run to run; null: none
    std::vector<double> values;                ///< one for each of the series, in their order
    std::optional<LogStream> logs;
    std::optional<CheckKey> run_of;  ///< the check whose run, due at timestamp_ms, it tells of
};

}  // namespace sonde::exporters
