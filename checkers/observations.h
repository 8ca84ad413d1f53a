#pragma once

#include "checkers/metric.h"

#include <string>
#include <vector>

namespace sonde::checkers {

/// What a run has measured so far; kept when the run fails half-way.
class Observations {
public:
    using LabelValues = std::vector<std::string>;

    struct Sample {
        const Metric* metric;
        LabelValues label_values;  ///< in the order of metric->labels
        double value;
    };

    /// Sets one gauge; setting it again with the same label values replaces it.
    void set(const Metric& metric, double value, LabelValues label_values = {});
    /// Drops all samples of a metric: certificate series are replaced after STARTTLS.
    void clear(const Metric& metric);
    const std::vector<Sample>& samples() const { return samples_; }

private:
    std::vector<Sample> samples_;
};

}  // namespace sonde::checkers
