#pragma once

#include "agent/link/changes.h"
#include "agent/link/state_file.h"
#include "config/schema.h"

#include <memory>
#include <optional>

namespace sonde::schedule {
class Schedule;
}

namespace sonde::link {

class Tenants;

/// What outlives a process of what the API says. The checks of the process before this one go on
/// schedule when the API turns out to be away; when it comes first, they are of no account.
class Memory {
public:
    Memory(schedule::Schedule& schedule, Tenants& tenants) : schedule_{schedule}, tenants_{tenants}
    {}

    /// From now on all is kept in `file`, which outlives this; what it has is there for resume().
    void use(StateFile& file);

    /// There are checks that resume() would put on schedule.
    bool has_stored() const { return stored_.has_value(); }

    /// The API is away.
    void resume();

    /// A message of the change stream has been carried out for `probe`. With the first, what was
    /// stored loses its force: checks that were resumed as a probe of other labels go on as this.
    void carried_out(const Plan& plan, const std::shared_ptr<const pb::Probe>& probe);

private:
    void correct_probe(const std::shared_ptr<const pb::Probe>& probe);

    schedule::Schedule& schedule_;
    Tenants& tenants_;
    StateFile* file_ = nullptr;
    std::optional<ApiState> stored_;   // until resumed or overtaken
    std::optional<ApiState> resumed_;  // until the API has told what there is
};

}  // namespace sonde::link
