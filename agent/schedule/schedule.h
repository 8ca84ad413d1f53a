#pragma once

#include "agent/net/services.h"
#include "agent/schedule/clock.h"
#include "agent/schedule/results.h"
#include "config/agent_config.h"
#include "config/schema.h"
#include "exporters/payload.h"
#include "exporters/tenant_source.h"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
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

/// Told of each run that has come to a result, with its duration in seconds as published.
using Completed =
    std::function<void(const pb::Check&, exporters::TenantKey tenant, double seconds)>;

/// What no option says; tests have others.
struct Timings {
    std::chrono::milliseconds away_from_runs{10'000};  ///< how far repetitions keep from runs
    std::chrono::milliseconds step{100};            ///< by more the wall clock was set, not slewed
    std::chrono::milliseconds longest_sleep{1000};  ///< so soon is a set clock noticed
    Clocks clocks = host_clocks();
};

/// Runs every check at the points of its grid on the wall clock until it is removed. Every due time
/// ends in exactly one way: as a published result, or in a gap that names the reason. (A wall clock
/// that is set back comes to the same times again.) Runs of one version of a check never overlap.
/// Loop thread only.
class Schedule {
public:
    Schedule(const asio::any_io_executor& loop, net::Services& net,
        exporters::TenantSource& tenants, exporters::Publisher& publisher,
        const config::ScheduleConfig& config, const config::CheckersConfig& checkers,
        prometheus::Registry& registry, const config::EgressConfig& egress = {});
    /// The same, accounting to somebody else.
    Schedule(const asio::any_io_executor& loop, net::Services& net,
        exporters::TenantSource& tenants, Results& results, const config::ScheduleConfig& config,
        const config::CheckersConfig& checkers, prometheus::Registry& registry,
        const config::EgressConfig& egress, const Timings& timings);
    ~Schedule();

    /// Adds, or replaces the check of the same key: the old one ends with stale markers
    /// (spec 03 §4.6). The check is run as `probe`, which is kept until it changes.
    ///
    /// What was due since the last run of a process before this one becomes a gap. Otherwise the
    /// check is new: when its next due time is farther away than the spread of the starts, it has
    /// one run before it.
    void put(Origin origin, const pb::Check& check, std::shared_ptr<const pb::Probe> probe);

    /// Ends a check: a run in progress is completed and published, then stale markers follow.
    void remove(CheckKey key);

    std::vector<Known> known(Origin origin) const;
    std::size_t size() const;

    /// The last result of each check, without logs; none of those whose last run came to nothing.
    std::vector<exporters::Payload> last_results() const;

    /// Whether no run that is due has waited for longer than its check's period.
    bool on_time();

    /// Who is told of completed runs; it outlives the schedule.
    void tell(Completed completed);

    /// Other options from now on. Checks on schedule keep their due times, runs in progress the
    /// options they began with.
    void reconfigure(const config::ScheduleConfig& config, const config::CheckersConfig& checkers,
        const config::EgressConfig& egress);

    /// For shutdown: nothing is started any more, runs in progress are cancelled. All that is due
    /// and has no result becomes a gap before this returns.
    void stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sonde::schedule
