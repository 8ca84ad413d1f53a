#pragma once

#include "agent/base/error.h"
#include "config/schema.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::schedule {

using exporters::Label;
using Labels = std::vector<Label>;

/// Everything a label can be made of: a check as it runs on a probe.
struct LabelSource {
    const pb::Check& check;
    const pb::Probe& probe;
    std::string_view kind;  ///< "http"
};

/// Labels of every series but sm_check_info, without `__name__` and the series' own (spec 03 §2.6).
/// In the order of priority: where a name comes twice, the first counts.
Labels execution_labels(const LabelSource& source, pb::LabelMode mode);

/// Labels of sm_check_info, same order (spec 03 §3).
/// @return Error "too_many_labels" when there are more than the tenant may have (spec 03 §2.8).
Result<Labels> check_info_labels(
    const LabelSource& source, pb::LabelMode mode, std::int64_t max_metric_labels);

/// Items 1 to 7 of a log stream's labels, in order (spec 03 §5.3).
Labels log_labels(const LabelSource& source, pb::LabelMode mode);

/// All labels of a check on its probe, as one tenant wants them: put together once, for many runs.
struct Labelling {
    /// @param pointed_at log key `target`.
    Labelling(
        const LabelSource& source, std::string_view pointed_at, const exporters::Tenant& for_whom);

    /// Whether the tenant still wants them so.
    bool holds_for(const exporters::Tenant& tenant) const;

    pb::LabelMode mode;
    std::int64_t max_metric_labels;
    std::int64_t max_log_labels;
    Labels execution;     ///< execution_labels()
    Result<Labels> info;  ///< check_info_labels()
    Labels stream;        ///< of the log stream, but for probe_success, which comes last
    Labels overflow;      ///< what the stream has no room for: structured metadata (spec 03 §5.3)
    std::string context;  ///< what every log line has, as logfmt (spec 03 §5.4)
};

/// Sorted by name, each name once: the first of equals. Values are cut to 2048 bytes (spec 03
/// §2.7).
Labels normalised(Labels labels);

/// Time of the last change as the label says it (spec 03 §2.2), artefacts of doubles included.
std::string config_version(double modified);

/// 12 characters (spec 03 §2.3).
std::string geohash(double latitude, double longitude);

/// Names no user label may have where it is not prefixed (spec 03 §2.5).
bool is_reserved(std::string_view name);

}  // namespace sonde::schedule
