#pragma once

#include "exporters/gap.h"
#include "exporters/ledger.h"
#include "exporters/record_type.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <string>

namespace sonde::exporters {

/// The agent's own metrics about what it publishes. Those of the reference agent (`sm_agent_…`,
/// spec 03 §7.1) and those of a lane are by `regionID`, `tenantID` and `type`, "metrics" or "logs".
struct Metrics {
    explicit Metrics(prometheus::Registry& registry);

    using Counter = prometheus::Counter;
    using Gauge = prometheus::Gauge;
    template <class T>
    using Family = prometheus::Family<T>;
    template <class T>
    using ByReason = std::array<T*, Ledger::reasons>;

    Family<Counter>& pushed;
    Family<Counter>& bytes;
    Family<Counter>& errors;
    Family<Counter>& given_up;
    Family<Counter>& retries;
    Family<Counter>& dropped;
    Family<Counter>& responses;
    Gauge& handlers;

    Family<Counter>& uncertain;
    Family<Gauge>& queued;
    Family<Gauge>& queued_bytes;
    Family<Gauge>& backlog;
    Family<Gauge>& backlog_bytes;

    Counter& runs_published;
    ByReason<Counter> runs_missing{};
    std::array<ByReason<Counter>, 2> lost{};  ///< records, by type and reason
    ByReason<prometheus::Histogram> lost_age{};

    Gauge& journal_bytes;
    Gauge& journal_segments;
    Counter& journal_write_errors;
    Counter& journal_torn_bytes;

    void count_lost(Type type, GapReason reason, double records, double age_seconds) const;
};

}  // namespace sonde::exporters
