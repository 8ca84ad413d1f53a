#include "checkers/observations.h"

#include <utility>

namespace sonde::checkers {
namespace {

constexpr std::size_t usual_samples = 16;

}  // namespace

void Observations::set(const Metric& metric, double value, LabelValues label_values)
{
    for (Sample& sample : samples_)
        if (sample.metric->name == metric.name && sample.label_values == label_values) {
            sample.value = value;
            return;
        }
    if (samples_.empty())
        samples_.reserve(usual_samples);
    samples_.push_back({&metric, std::move(label_values), value});
}

void Observations::clear(const Metric& metric)
{
    std::erase_if(
        samples_, [&](const Sample& sample) { return sample.metric->name == metric.name; });
}

}  // namespace sonde::checkers
