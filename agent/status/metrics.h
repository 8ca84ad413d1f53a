#pragma once

#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

namespace sonde::status {

/// What the status server counts of itself; names of the reference agent (spec 01 §12.2). The
/// summaries have sum and count, no quantiles, by `code` and `method`.
struct HttpMetrics {
    explicit HttpMetrics(prometheus::Registry& registry);

    prometheus::Family<prometheus::Summary>& duration;
    prometheus::Family<prometheus::Summary>& written;
    prometheus::Gauge& in_flight;
};

/// Which build this is, and how the last reading of its options went. Those it started with count
/// as read successfully.
struct DaemonMetrics {
    explicit DaemonMetrics(prometheus::Registry& registry);

    /// The options were read again, and applied or refused.
    void reloaded(bool applied);

    prometheus::Gauge& last_reload_successful;
    prometheus::Gauge& last_reload_success;  ///< Unix seconds
};

/// All that `/metrics` has: the registry, the process, and what the log had to drop.
std::vector<prometheus::MetricFamily> own_families(const prometheus::Registry& registry);

}  // namespace sonde::status
