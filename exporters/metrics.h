#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <string>

namespace sonde::exporters {

/// The agent's own metrics about pushes; names of the reference agent (spec 01 §12.2). All are by
/// `regionID`, `tenantID` and `type`, "metrics" or "logs".
struct Metrics {
    explicit Metrics(prometheus::Registry& registry)
        : pushed{counter(registry, "sm_agent_publisher_push_total", "Records pushed")},
          bytes{counter(registry, "sm_agent_publisher_push_bytes", "Compressed bytes pushed")},
          errors{counter(registry, "sm_agent_publisher_push_errors_total",
              "Records in pushes that failed, by HTTP status (0: none came)")},
          given_up{counter(
              registry, "sm_agent_publisher_push_failed_total", "Records given up, by reason")},
          retries{counter(
              registry, "sm_agent_publisher_retries_total", "Records put back for another try")},
          dropped{counter(registry, "sm_agent_publisher_drop_total",
              "Records dropped: queue full, too old, refused or discarded")},
          responses{
              counter(registry, "sm_agent_publisher_responses_total", "Answers, by HTTP status")},
          queued{prometheus::BuildGauge()
                  .Name("sonde_publisher_queue_records")
                  .Help("Records waiting")
                  .Register(registry)},
          queued_bytes{prometheus::BuildGauge()
                  .Name("sonde_publisher_queue_bytes")
                  .Help("Compressed bytes waiting")
                  .Register(registry)},
          handlers{prometheus::BuildGauge()
                  .Name("sm_agent_publisher_handlers_total")
                  .Help("Tenants with a sender")
                  .Register(registry)
                  .Add({})}
    {}

    using Counters = prometheus::Family<prometheus::Counter>;
    Counters& pushed;
    Counters& bytes;
    Counters& errors;
    Counters& given_up;
    Counters& retries;
    Counters& dropped;
    Counters& responses;
    prometheus::Family<prometheus::Gauge>& queued;
    prometheus::Family<prometheus::Gauge>& queued_bytes;
    prometheus::Gauge& handlers;

private:
    static Counters& counter(prometheus::Registry& registry, const char* name, const char* help)
    {
        return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
    }
};

}  // namespace sonde::exporters
