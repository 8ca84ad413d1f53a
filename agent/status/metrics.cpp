#include "agent/status/metrics.h"

#include "agent/base/log.h"
#include "agent/base/version.h"
#include "agent/status/process.h"

#include <iterator>

namespace sonde::status {
namespace {

prometheus::Family<prometheus::Summary>& summary(
    prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildSummary().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Gauge>& gauge(
    prometheus::Registry& registry, const char* name, const char* help)
{
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::MetricFamily dropped_lines()
{
    prometheus::ClientMetric metric;
    metric.counter.value = static_cast<double>(log::dropped());
    return {"sonde_log_lines_dropped_total",
        "Log lines that could not be written: nobody read them, or the disk was full",
        prometheus::MetricType::Counter, {metric}};
}

}  // namespace

HttpMetrics::HttpMetrics(prometheus::Registry& registry)
    : duration{summary(registry, "http_requests_duration_seconds",
          "From a request of the status server to its answer, in seconds")},
      written{summary(registry, "http_requests_written_bytes",
          "Body of the status server's answers, in bytes")},
      in_flight{
          gauge(registry, "http_requests_in_flight", "Requests the status server is answering")
              .Add({})}
{}

DaemonMetrics::DaemonMetrics(prometheus::Registry& registry)
    : last_reload_successful{gauge(registry, "sonde_config_last_reload_successful",
          "1 when the options were applied the last time they were read, else 0")
              .Add({})},
      last_reload_success{gauge(registry, "sonde_config_last_reload_success_timestamp_seconds",
          "When options were last read and applied, in Unix seconds")
              .Add({})}
{
    gauge(registry, "sonde_build_info", "1; which build this is")
        .Add({{"version", std::string{version::number}}, {"commit", std::string{version::commit}}})
        .Set(1);
    reloaded(true);
}

void DaemonMetrics::reloaded(bool applied)
{
    last_reload_successful.Set(applied ? 1 : 0);
    if (applied)
        last_reload_success.SetToCurrentTime();
}

std::vector<prometheus::MetricFamily> own_families(const prometheus::Registry& registry)
{
    auto families = registry.Collect();
    auto process = ProcessCollector{}.Collect();
    families.insert(families.end(), std::make_move_iterator(process.begin()),
        std::make_move_iterator(process.end()));
    families.push_back(dropped_lines());
    return families;
}

}  // namespace sonde::status
