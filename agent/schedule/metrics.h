#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace sonde::schedule {

/// The agent's own metrics about scheduling. Names that begin with `sm_agent` are those of the
/// reference agent (spec 01 §12.2).
struct Metrics {
    explicit Metrics(prometheus::Registry& registry)
        : scrapers{prometheus::BuildGauge()
                  .Name("sm_agent_updater_scrapers_total")
                  .Help("Checks on schedule, by type")
                  .Register(registry)},
          operations{prometheus::BuildCounter()
                  .Name("sm_agent_scraper_operations_total")
                  .Help("Runs started")
                  .Register(registry)},
          errors{prometheus::BuildCounter()
                  .Name("sm_agent_scraper_errors_total")
                  .Help("Runs that failed: the check, or before it the agent (collector)")
                  .Register(registry)},
          lateness{prometheus::BuildHistogram()
                  .Name("sonde_schedule_lateness_seconds")
                  .Help("From the time a run was due to its start")
                  .Register(registry)
                  .Add({}, buckets())},
          in_flight{prometheus::BuildGauge()
                  .Name("sonde_schedule_runs_in_flight")
                  .Help("Runs in progress")
                  .Register(registry)
                  .Add({})},
          missed{prometheus::BuildCounter()
                  .Name("sonde_schedule_missed_total")
                  .Help("Due times dropped because the run before still went on")
                  .Register(registry)
                  .Add({})}
    {}

    prometheus::Family<prometheus::Gauge>& scrapers;
    prometheus::Family<prometheus::Counter>& operations;
    prometheus::Family<prometheus::Counter>& errors;
    prometheus::Histogram& lateness;
    prometheus::Gauge& in_flight;
    prometheus::Counter& missed;

private:
    static prometheus::Histogram::BucketBoundaries buckets()
    {
        return {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30};
    }
};

}  // namespace sonde::schedule
