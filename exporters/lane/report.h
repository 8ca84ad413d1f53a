#pragma once

#include "agent/net/http_client.h"
#include "exporters/delivery.h"
#include "exporters/gap.h"
#include "exporters/metrics.h"
#include "exporters/record_type.h"
#include "exporters/tenant_source.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::exporters::lane {

/// What a lane tells of itself: metrics, and lines in the log, of each kind at most one a minute.
class Report {
public:
    Report(Metrics& metrics, TenantKey tenant, Type type);

    void answered(int status);
    void delivered(std::size_t records, std::size_t bytes);
    void not_accepted(const net::HttpAnswer& answer, Outcome outcome, std::size_t records);
    void kept(std::size_t records);        ///< for another try
    void sent_again(std::size_t records);  ///< after a request that may have stored them
    void tenant_unknown(std::string_view why);
    void url_unusable();
    void goes_in_order();
    void lost(GapReason reason, std::int64_t timestamp_ms);
    void end();  ///< what was lost and is not told yet

    struct Waiting {
        std::size_t queued = 0;
        std::size_t queued_bytes = 0;
        std::size_t backlog = 0;
        std::size_t backlog_bytes = 0;
    };
    void waiting(const Waiting& now);

private:
    using Clock = std::chrono::steady_clock;

    void tell_lost();
    prometheus::Labels labels() const;
    prometheus::Labels labels(std::string_view name, std::string value) const;

    Metrics& metrics_;
    TenantKey tenant_;
    Type type_;
    // Looked up once: that costs as much as encoding a run.
    prometheus::Counter& pushed_;
    prometheus::Counter& bytes_;
    prometheus::Counter& retries_;
    prometheus::Counter& dropped_;
    prometheus::Counter& uncertain_;
    prometheus::Gauge& queued_;
    prometheus::Gauge& queued_bytes_;
    prometheus::Gauge& backlog_;
    prometheus::Gauge& backlog_bytes_;
    std::map<int, prometheus::Counter*> responses_;  // by status
    std::size_t untold_lost_ = 0;                    // since the last line about it
    GapReason newest_reason_ = GapReason::stopped;
    std::size_t untold_failures_ = 0;
    std::optional<Clock::time_point> told_lost_;
    std::optional<Clock::time_point> told_failure_;
};

}  // namespace sonde::exporters::lane
