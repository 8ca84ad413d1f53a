#pragma once

#include "agent/net/services.h"
#include "agent/net/task_group.h"
#include "agent/schedule/timetable.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace prometheus {
class Registry;
}
namespace sonde::exporters {
class Publisher;
}

namespace sonde::schedule {

namespace asio = boost::asio;
using exporters::CheckKey;
using exporters::Origin;

/// A check on schedule, as reported to the API when a session begins.
struct Known {
    std::int64_t id;
    double modified;
};

/// Runs every check on its own fixed grid until it is removed, and publishes each run. Runs of one
/// check never overlap. Loop thread only.
class Schedule {
public:
    Schedule(const asio::any_io_executor& loop, net::Services& net,
        exporters::TenantSource& tenants, exporters::Publisher& publisher,
        const config::ScheduleConfig& config, const config::CheckersConfig& checkers,
        prometheus::Registry& registry);
    ~Schedule();

    /// Adds, or replaces the check of the same key: the old one ends with stale markers
    /// (spec 03 §4.6). The check is run as `probe`, which is kept until it changes.
    void put(Origin origin, const pb::Check& check, std::shared_ptr<const pb::Probe> probe);

    /// Ends a check: a run in progress is completed and published, then stale markers follow.
    void remove(CheckKey key);

    std::vector<Known> known(Origin origin) const;
    std::size_t size() const;

    /// For shutdown: nothing is started any more, runs in progress are cancelled.
    void stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::schedule
