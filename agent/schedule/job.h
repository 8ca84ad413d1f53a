#pragma once

#include "agent/schedule/check_series.h"
#include "agent/schedule/grid.h"
#include "checkers/registry.h"
#include "config/schema.h"
#include "exporters/payload.h"

#include <prometheus/counter.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::schedule {

/// A time at which a check is to run.
struct DueTime {
    Time name;    ///< what its result or gap will be called, by the wall clock as it came due
    Time moment;  ///< the same by the wall clock of now, which may have been set since
};

/// A version of a check from its arrival to its replacement or end. A new version is a new job: the
/// old one may still be running (spec 01 §10).
struct Job {
    /// @param plans of the series of all checks.
    Job(pb::Check its_check, std::shared_ptr<SeriesPlans> plans)
        : check{std::move(its_check)}, series{check.basicmetricsonly(), std::move(plans)}
    {}

    std::uint64_t number = 0;
    exporters::Origin origin{};
    pb::Check check;
    std::shared_ptr<const pb::Probe> probe;
    checkers::Prepared prepared;
    std::string kind;  ///< "http"; the settings' name also when they are unusable
    std::string pointed_at;
    exporters::TenantKey tenant;

    CheckSeries series;
    std::shared_ptr<const Labelling> labels;  ///< null until the tenant is known
    prometheus::Counter* operations = nullptr;
    std::optional<exporters::Payload> last;  ///< what ends or repeats; none after a collector error
    /// Whether `last` still tells of the target: not so since a run that came to no result.
    bool repeatable = false;
    std::int64_t last_published_ms = 0;
    std::string_view unable;  ///< reason of the collector error of the last run; empty: none
    Time last_due{};          ///< the moment of it

    bool running = false;  ///< started, or waiting for a place among those in flight
    /// When the run in progress, or waiting for a place, was due; absent once it is accounted for.
    std::optional<DueTime> due;
    std::optional<DueTime> pending;  ///< it came due while running: the first such time
    bool ended = false;

    bool can_run() const { return prepared.kind != nullptr; }
    exporters::CheckKey key() const { return {origin, check.id()}; }
};

}  // namespace sonde::schedule
