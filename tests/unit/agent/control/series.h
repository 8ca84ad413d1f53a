#pragma once

#include <doctest/doctest.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>

namespace sonde::tests {

using SeriesLabels = std::map<std::string, std::string>;

/// All series of a metric by their labels: values, of a histogram how much it has seen.
inline std::map<SeriesLabels, double> series_of(
    const prometheus::Registry& registry, const std::string& name)
{
    std::map<SeriesLabels, double> out;
    for (const auto& family : registry.Collect()) {
        if (family.name != name)
            continue;
        for (const auto& metric : family.metric) {
            SeriesLabels labels;
            for (const auto& label : metric.label)
                labels[label.name] = label.value;
            out[labels] = metric.counter.value + metric.gauge.value +
                          static_cast<double>(metric.histogram.sample_count);
        }
    }
    return out;
}

/// nullopt: there is no such series.
inline std::optional<double> value_of(
    const prometheus::Registry& registry, const std::string& name, const SeriesLabels& labels = {})
{
    const auto all = series_of(registry, name);
    const auto found = all.find(labels);
    return found == all.end() ? std::nullopt : std::optional{found->second};
}

/// Until another thread has brought the series there.
inline void await_value(const prometheus::Registry& registry, double wanted,
    const std::string& name, const SeriesLabels& labels = {})
{
    CAPTURE(name);
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (value_of(registry, name, labels) != wanted) {
        REQUIRE(std::chrono::steady_clock::now() < limit);
        std::this_thread::yield();
    }
}

/// As whoever scrapes it reads it.
inline std::string exposition(const prometheus::Registry& registry)
{
    return prometheus::TextSerializer{}.Serialize(registry.Collect());
}

}  // namespace sonde::tests
