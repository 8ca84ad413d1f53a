#pragma once

#include "agent/base/error.h"
#include "agent/schedule/check_series.h"
#include "agent/schedule/labels.h"
#include "checkers/run_once.h"
#include "exporters/payload.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sonde::schedule {

/// What a report is published as.
struct PublishContext {
    std::shared_ptr<const Labelling> labels;  ///< with usable labels of sm_check_info
    exporters::TenantKey tenant;
    exporters::CheckKey check;
    std::int64_t due_ms;  ///< when the run was due: the time of all its samples
    const std::string& execution_id;
};

/// A report as series and log stream of its tenant (spec 03 §0 steps 5 to 7); takes the run into
/// `series`.
exporters::Payload to_payload(
    const checkers::Report& report, const PublishContext& context, CheckSeries& series);

/// The series of `last` once more at another time, without logs (spec 03 §4.6).
exporters::Payload republished(const exporters::Payload& last, std::int64_t timestamp_ms);

/// The series of `last` ended: every value is the stale marker (spec 03 §4.6).
exporters::Payload ended(const exporters::Payload& last, std::int64_t timestamp_ms);

/// A random UUID, version 4, lower case (RFC 9562 §5.4).
std::string new_execution_id();

/// One line as the log store gets it (spec 03 §5.4).
std::string log_line(const checkers::LogEntry& entry, std::string_view context);

}  // namespace sonde::schedule
