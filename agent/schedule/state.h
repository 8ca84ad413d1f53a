#pragma once

#include "agent/net/task_group.h"
#include "agent/schedule/egress.h"
#include "agent/schedule/job.h"
#include "agent/schedule/metrics.h"
#include "agent/schedule/schedule.h"
#include "agent/schedule/secret_stores.h"
#include "agent/schedule/timetable.h"
#include "checkers/run_once.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

namespace sonde::schedule {

using JobPtr = std::shared_ptr<Job>;

/// A run that begins later than so long after it was due is late.
inline constexpr std::chrono::milliseconds still_on_time{1};

/// The inside of the schedule: schedule.cpp decides when a run begins, running.cpp does it.
struct Schedule::State {
    State(const asio::any_io_executor& loop, net::Services& its_net,
        exporters::TenantSource& its_tenants, Results& its_results,
        const config::ScheduleConfig& its_config, const config::CheckersConfig& its_checkers,
        prometheus::Registry& registry, const config::EgressConfig& its_egress,
        const Timings& its_timings);

    struct Ready {
        JobPtr job;
        std::optional<Late> cause;  ///< it was late already when it came here
        std::uint64_t tick;         ///< in which it came
    };

    // When
    asio::awaitable<void> keep_time();
    std::chrono::nanoseconds sleep_time() const;
    Time look();
    void step(std::chrono::nanoseconds size);
    void collect_due(Time now);
    void come_due(const JobPtr& job, const Timetable::Due& due, Time now);
    void start_ready();
    Late cause_of(const Ready& ready) const;
    void rewake() { wake.cancel(); }
    void account_for_absence(const Job& job, std::int64_t last_ms, const Grid& grid, Time now);
    Time first_due(const Job& job, const Grid& grid, bool resumed, Time now) const;
    void retire(const JobPtr& job);
    void repeat_anew();
    bool is_repeated(const Job& job) const;
    void give_up();

    // What
    asio::awaitable<void> run(JobPtr job, Late cause);
    void begin(Job& job, Late cause);
    asio::awaitable<void> attempt(Job& job, Late cause);
    asio::awaitable<void> run_and_publish(Job& job);
    bool label(Job& job, const exporters::Tenant& tenant);
    void conclude(Job& job, const checkers::Report& report);
    void withhold(Job& job, const checkers::Verdict& verdict);
    void collector_error(Job& job, const Error& why, exporters::GapReason reason);
    void republish(Job& job, Time now);
    void end_series(Job& job);
    /// The due time of the run in progress, or waiting, ends in a gap.
    void lose(Job& job, exporters::GapReason reason);
    void lose_pending(Job& job, exporters::GapReason reason);
    void record(const Job& job, const Timetable::Missed& missed, exporters::GapReason reason) const;
    prometheus::Labels labels_of(const Job& job) const;

    net::Services& net;
    exporters::TenantSource& tenants;
    std::unique_ptr<Results> own_results;
    Results& results;
    config::ScheduleConfig config;
    std::shared_ptr<const config::CheckersConfig> checkers;  ///< runs keep those they began with
    Timings timings;
    SecretStores secrets;
    Metrics metrics;
    Egress egress;
    WallClock clock;
    Time started = clock.now();

    Completed completed;
    std::shared_ptr<SeriesPlans> plans = std::make_shared<SeriesPlans>();
    std::uint64_t next_number = 1;
    std::map<CheckKey, JobPtr> current;
    std::map<std::uint64_t, JobPtr> by_number;  ///< those that still come due
    Timetable runs;
    Timetable repeats;
    std::deque<Ready> ready;  ///< due, waiting for a place
    std::set<JobPtr> in_flight;
    std::uint64_t tick = 0;
    std::uint64_t last_full_tick = 0;  ///< the last in which a run found no place
    std::uint64_t withheld_unlogged = 0;
    std::chrono::steady_clock::time_point withheld_logged{};
    bool stopped = false;
    asio::steady_timer wake;
    net::TaskGroup tasks;
};

}  // namespace sonde::schedule
