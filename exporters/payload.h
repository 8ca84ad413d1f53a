#pragma once

#include "exporters/tenant_source.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sonde::exporters {

struct Label {
    std::string name;
    std::string value;

    bool operator==(const Label&) const = default;
    auto operator<=>(const Label&) const = default;
};

/// One time series with its one sample. Labels are sorted by name, `__name__` among them, no name
/// twice (remote write 1.0).
struct Series {
    std::vector<Label> labels;
    double value = 0;
};

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

/// What one run, republication or end of a check publishes, already labelled.
struct Payload {
    TenantKey tenant;
    std::int64_t timestamp_ms = 0;  ///< of all samples
    std::vector<Series> series;
    std::optional<LogStream> logs;
};

}  // namespace sonde::exporters
