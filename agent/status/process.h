#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

namespace sonde::status {

/// `process_…` of this process as client libraries name them: CPU seconds, memory, descriptors,
/// start time; read from /proc when asked.
class ProcessCollector final : public prometheus::Collectable {
public:
    std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace sonde::status
