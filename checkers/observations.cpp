#include "checkers/observations.h"

#include <utility>

namespace sonde::checkers {

void Observations::set(const Metric& metric, double value, LabelValues label_values)
{
    for (Sample& sample : samples_)
        if (sample.metric->name == metric.name && sample.label_values == label_values) {
            sample.value = value;
            return;
        }
    samples_.push_back({&metric, std::move(label_values), value});
}

void Observations::clear(const Metric& metric)
{
    std::erase_if(
        samples_, [&](const Sample& sample) { return sample.metric->name == metric.name; });
}

}  // namespace sonde::checkers
