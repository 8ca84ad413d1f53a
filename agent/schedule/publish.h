#pragma once

#include "agent/base/error.h"
#include "agent/schedule/derived.h"
#include "agent/schedule/labels.h"
#include "checkers/run_once.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::schedule {

/// What a report is published as.
struct PublishContext {
    LabelSource source;
    std::string_view pointed_at;  ///< log key `target`
    const exporters::Tenant& tenant;
    exporters::TenantKey tenant_key;
    std::int64_t due_ms;  ///< when the run was due: the time of all its samples
    const std::string& execution_id;
};

/// A report as series and log stream of its tenant (spec 03 §0 steps 5 to 7); takes the run into
/// `derived`. @param info labels of sm_check_info, as check_info_labels() gave them.
exporters::Payload to_payload(const checkers::Report& report, const PublishContext& context,
    const Labels& info, Derived& derived);

/// The series of `last` once more at another time, without logs (spec 03 §4.6).
exporters::Payload republished(const exporters::Payload& last, std::int64_t timestamp_ms);

/// The series of `last` ended: every value is the stale marker (spec 03 §4.6).
exporters::Payload ended(const exporters::Payload& last, std::int64_t timestamp_ms);

/// A random UUID, version 4, lower case (RFC 9562 §5.4).
std::string new_execution_id();

/// One line as the log store gets it (spec 03 §5.4).
std::string log_line(const checkers::LogEntry& entry, std::string_view context);

}  // namespace sonde::schedule
