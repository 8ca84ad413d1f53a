#include "agent/status/metrics_push.h"

#include "agent/status/metrics.h"
#include "exporters/publisher.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>

namespace sonde::status {
namespace {

using prometheus::MetricType;

std::optional<double> value_of(MetricType type, const prometheus::ClientMetric& metric)
{
    switch (type) {
    case MetricType::Counter:
        return metric.counter.value;
    case MetricType::Gauge:
        return metric.gauge.value;
    case MetricType::Untyped:
        return metric.untyped.value;
    case MetricType::Summary:
    case MetricType::Histogram:
        break;
    }
    return std::nullopt;
}

/// Sorted, no name twice, none without a value: remote write 1.0 wants them so.
exporters::LabelSet labels_of(
    const std::string& name, const prometheus::ClientMetric& metric, const std::string& probe)
{
    exporters::LabelSet labels{{"__name__", name}};
    if (!probe.empty())
        labels.push_back({"probe", probe});
    for (const auto& label : metric.label)
        if (label.name != "probe" && !label.value.empty())
            labels.push_back({label.name, label.value});
    std::sort(labels.begin(), labels.end());
    return labels;
}

std::int64_t unix_ms()
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

exporters::Payload own_payload(const std::vector<prometheus::MetricFamily>& families,
    const Owner& owner, std::int64_t timestamp_ms)
{
    exporters::Payload payload;
    payload.tenant = owner.tenant;
    payload.timestamp_ms = timestamp_ms;
    std::vector<exporters::LabelSet> series;
    for (const auto& family : families)
        for (const auto& metric : family.metric)
            if (const auto value = value_of(family.type, metric)) {
                series.push_back(labels_of(family.name, metric, owner.probe));
                payload.values.push_back(*value);
            }
    payload.series = std::make_shared<const exporters::Identities>(series);
    return payload;
}

MetricsPush::MetricsPush(const prometheus::Registry& registry, exporters::Publisher& publisher,
    std::chrono::milliseconds every, std::function<std::optional<Owner>()> owner)
    : registry_{registry}, publisher_{publisher}, every_{every}, owner_{std::move(owner)}
{}

asio::awaitable<void> MetricsPush::run()
{
    asio::steady_timer timer{co_await asio::this_coro::executor};
    for (;;) {
        timer.expires_after(every_);
        co_await timer.async_wait(asio::use_awaitable);
        if (const auto owner = owner_())
            publisher_.publish(own_payload(own_families(registry_), *owner, unix_ms()));
    }
}

}  // namespace sonde::status
