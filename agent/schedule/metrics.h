#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <cstddef>

namespace sonde::schedule {

/// Why a run began later than it was due.
enum class Late { loop, in_flight, starts_per_tick, previous_run };

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
          own_delay{prometheus::BuildHistogram()
                  .Name("sonde_run_own_delay_seconds")
                  .Help("What this probe itself, its loop or its host, has added to a run")
                  .Register(registry)
                  .Add({}, buckets())},
          late_by_cause{late_counters(registry)}, in_flight{prometheus::BuildGauge()
                                                          .Name("sonde_schedule_runs_in_flight")
                                                          .Help("Runs in progress")
                                                          .Register(registry)
                                                          .Add({})},
          missed{counter(registry, "sonde_schedule_missed_total",
              "Due times dropped because the run before still went on")},
          skipped{counter(registry, "sonde_schedule_skipped_total",
              "Due times that passed while the process was stopped or suspended, or that a step of "
              "the wall clock left out")},
          clock_steps{counter(registry, "sonde_schedule_clock_steps_total",
              "Times that the wall clock was set while the agent ran")},
          egress_up{prometheus::BuildGauge()
                  .Name("sonde_egress_up")
                  .Help("0 when too few canaries answered at the last question, else 1")
                  .Register(registry)
                  .Add({})},
          withheld{counter(registry, "sonde_egress_withheld_total",
              "Failed runs not published because our own way out was down")}
    {}

    prometheus::Counter& late(Late cause)
    {
        return *late_by_cause[static_cast<std::size_t>(cause)];
    }

    prometheus::Family<prometheus::Gauge>& scrapers;
    prometheus::Family<prometheus::Counter>& operations;
    prometheus::Family<prometheus::Counter>& errors;
    prometheus::Histogram& lateness;
    prometheus::Histogram& own_delay;
    std::array<prometheus::Counter*, 4> late_by_cause;  ///< in the order of Late
    prometheus::Gauge& in_flight;
    prometheus::Counter& missed;
    prometheus::Counter& skipped;
    prometheus::Counter& clock_steps;
    prometheus::Gauge& egress_up;
    prometheus::Counter& withheld;

private:
    static prometheus::Histogram::BucketBoundaries buckets()
    {
        return {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30};
    }
    static prometheus::Counter& counter(
        prometheus::Registry& registry, const char* name, const char* help)
    {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
    }
    static std::array<prometheus::Counter*, 4> late_counters(prometheus::Registry& registry)
    {
        auto& family =
            prometheus::BuildCounter()
                .Name("sonde_schedule_late_total")
                .Help("Runs that began more than 1 ms late: the loop was busy, no place "
                      "among those in flight, too many starts, or the run before went on")
                .Register(registry);
        return {&family.Add({{"cause", "loop"}}), &family.Add({{"cause", "in_flight"}}),
            &family.Add({{"cause", "starts_per_tick"}}), &family.Add({{"cause", "previous_run"}})};
    }
};

}  // namespace sonde::schedule
