#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
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

}  // namespace sonde::link
