#include "exporters/metrics.h"

#include <algorithm>

namespace sonde::exporters {
namespace {

auto& counters(prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

auto& gauges(prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

const prometheus::Histogram::BucketBoundaries ages{
    1, 10, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600};

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : pushed{counters(registry, "sm_agent_publisher_push_total", "Records pushed")},
      bytes{counters(registry, "sm_agent_publisher_push_bytes", "Compressed bytes pushed")},
      errors{counters(registry, "sm_agent_publisher_push_errors_total",
          "Records in pushes that failed, by HTTP status (0: none came)")},
      given_up{counters(registry, "sm_agent_publisher_push_failed_total",
          "Pushes that could not even be begun, by reason; their records are kept")},
      retries{counters(
          registry, "sm_agent_publisher_retries_total", "Records put back for another try")},
      dropped{counters(registry, "sm_agent_publisher_drop_total",
          "Records dropped; sonde_publisher_lost_total says why")},
      responses{
          counters(registry, "sm_agent_publisher_responses_total", "Answers, by HTTP status")},
      handlers{
          gauges(registry, "sm_agent_publisher_handlers_total", "Tenants with a sender").Add({})},
      uncertain{counters(registry, "sonde_publisher_uncertain_total",
          "Records sent again after a request that may have stored them")},
      queued{gauges(registry, "sonde_publisher_queue_records",
          "Records waiting in memory, those under way among them")},
      queued_bytes{gauges(
          registry, "sonde_publisher_queue_bytes", "Compressed bytes in the queue in memory")},
      backlog{gauges(
          registry, "sonde_publisher_backlog_records", "Records waiting that only the disk has")},
      backlog_bytes{gauges(registry, "sonde_publisher_backlog_bytes", "Their compressed bytes")},
      runs_published{
          counters(registry, "sonde_runs_published_total", "Runs with a result to publish")
              .Add({})},
      journal_bytes{gauges(registry, "sonde_journal_bytes", "Size of the journal's files").Add({})},
      journal_segments{gauges(registry, "sonde_journal_segments", "Files of the journal").Add({})},
      journal_write_errors{counters(registry, "sonde_journal_write_errors_total",
          "Writes and flushes of the journal that failed or took too long")
              .Add({})},
      journal_torn_bytes{counters(registry, "sonde_journal_torn_bytes_total",
          "Bytes cut off the journal's end at start: a write the process died in")
              .Add({})}
{
    auto& missing_runs =
        counters(registry, "sonde_runs_missing_total", "Runs without a result, by reason");
    auto& lost_records = counters(registry, "sonde_publisher_lost_total",
        "Records that will never arrive, by type and reason");
    auto& lost_ages = prometheus::BuildHistogram()
                          .Name("sonde_publisher_lost_age_seconds")
                          .Help("How old records were when they were dropped, by reason")
                          .Register(registry);
    for (std::size_t i = 0; i < Ledger::reasons; ++i) {
        const std::string reason{name_of(static_cast<GapReason>(i))};
        runs_missing[i] = &missing_runs.Add({{"reason", reason}});
        lost_age[i] = &lost_ages.Add({{"reason", reason}}, ages);
        for (const Type type : {Type::metrics, Type::logs})
            lost[static_cast<std::size_t>(type)][i] =
                &lost_records.Add({{"type", std::string{name_of(type)}}, {"reason", reason}});
    }
}

void Metrics::count_lost(Type type, GapReason reason, double records, double age_seconds) const
{
    const auto i = static_cast<std::size_t>(reason);
    lost[static_cast<std::size_t>(type)][i]->Increment(records);
    lost_age[i]->Observe(std::max(age_seconds, 0.0));
}

}  // namespace sonde::exporters
