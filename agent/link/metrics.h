#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace sonde::link {

/// The agent's own metrics about its line to the API; names of the reference agent (spec 01 §12.2).
struct Metrics {
    explicit Metrics(prometheus::Registry& registry)
        : info{prometheus::BuildGauge()
                  .Name("sm_agent_info")
                  .Help("1 once the API has accepted this probe")
                  .Register(registry)},
          connected{prometheus::BuildGauge()
                  .Name("sm_agent_api_connection_status")
                  .Help("1 while a session with the API is established")
                  .Register(registry)
                  .Add({})},
          changes{prometheus::BuildCounter()
                  .Name("sm_agent_updater_changes_total")
                  .Help("Changes received, by operation")
                  .Register(registry)},
          change_errors{prometheus::BuildCounter()
                  .Name("sm_agent_updater_change_errors_total")
                  .Help("Changes that could not be carried out, by operation")
                  .Register(registry)},
          sessions_lost{prometheus::BuildCounter()
                  .Name("sonde_link_sessions_lost_total")
                  .Help("Established sessions that ended")
                  .Register(registry)
                  .Add({})}
    {}

    prometheus::Family<prometheus::Gauge>& info;
    prometheus::Gauge& connected;
    prometheus::Family<prometheus::Counter>& changes;
    prometheus::Family<prometheus::Counter>& change_errors;
    prometheus::Counter& sessions_lost;
};

/// Of the ad-hoc checks.
struct AdHocMetrics {
    explicit AdHocMetrics(prometheus::Registry& registry)
        : requests{prometheus::BuildCounter()
                  .Name("sm_adhoc_ops_total")
                  .Help("Ad-hoc checks asked for, by type")
                  .Register(registry)},
          refused{prometheus::BuildCounter()
                  .Name("sonde_adhoc_refused_total")
                  .Help("Ad-hoc checks that could not be run, by reason")
                  .Register(registry)},
          in_flight{prometheus::BuildGauge()
                  .Name("sonde_adhoc_in_flight")
                  .Help("Ad-hoc checks running now")
                  .Register(registry)
                  .Add({})}
    {}

    prometheus::Family<prometheus::Counter>& requests;
    prometheus::Family<prometheus::Counter>& refused;
    prometheus::Gauge& in_flight;
};

/// Of the telemetry; each series is a region's.
struct TelemetryMetrics {
    explicit TelemetryMetrics(prometheus::Registry& registry)
        : active{prometheus::BuildGauge()
                  .Name("sm_agent_telemetry_push_requests_active")
                  .Help("Pushes of telemetry under way")
                  .Register(registry)},
          seconds{prometheus::BuildHistogram()
                  .Name("sm_agent_telemetry_push_requests_duration_seconds")
                  .Help("How long pushes of telemetry took, in seconds")
                  .Register(registry)},
          total{prometheus::BuildCounter()
                  .Name("sm_agent_telemetry_push_requests_total")
                  .Help("Pushes of telemetry")
                  .Register(registry)},
          errors{prometheus::BuildCounter()
                  .Name("sm_agent_telemetry_push_requests_errors_total")
                  .Help("Pushes of telemetry that the API did not accept")
                  .Register(registry)},
          adding_seconds{prometheus::BuildHistogram()
                  .Name("sm_agent_telemetry_add_execution_duration_seconds")
                  .Help("How long it took to account for a run, in seconds")
                  .Register(registry)}
    {}

    prometheus::Family<prometheus::Gauge>& active;
    prometheus::Family<prometheus::Histogram>& seconds;
    prometheus::Family<prometheus::Counter>& total;
    prometheus::Family<prometheus::Counter>& errors;
    prometheus::Family<prometheus::Histogram>& adding_seconds;
};

}  // namespace sonde::link
