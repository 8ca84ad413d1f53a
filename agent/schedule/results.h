#pragma once

#include "exporters/gap.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace sonde::exporters {
class Publisher;
}

namespace sonde::schedule {

/// To whom the schedule accounts for every due time: with the result of the run, or with a gap.
class Results {
public:
    virtual ~Results() = default;

    virtual void publish(exporters::Payload payload) = 0;
    virtual void record(const exporters::Gap& gap) = 0;

    /// When the last run was due that is accounted for, also by a process before this one.
    virtual std::optional<std::int64_t> last_run(exporters::CheckKey check) const = 0;
};

/// Accounts to the publisher, which outlives it.
std::unique_ptr<Results> results_for(exporters::Publisher& publisher);

}  // namespace sonde::schedule
