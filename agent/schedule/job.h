#pragma once

#include "agent/schedule/check_series.h"
#include "agent/schedule/timetable.h"
#include "checkers/registry.h"
#include "config/schema.h"
#include "exporters/payload.h"

#include <prometheus/counter.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace sonde::schedule {

/// A version of a check from its arrival to its replacement or end. A new version is a new job: the
/// old one may still be running (spec 01 §10).
struct Job {
    explicit Job(pb::Check its_check) : check{std::move(its_check)} {}

    std::uint64_t number = 0;
    exporters::Origin origin{};
    pb::Check check;
    std::shared_ptr<const pb::Probe> probe;
    checkers::Prepared prepared;
    std::string kind;  ///< "http"; the settings' name also when they are unusable
    std::string pointed_at;
    exporters::TenantKey tenant;

    CheckSeries series{check.basicmetricsonly()};
    std::shared_ptr<const Labelling> labels;  ///< null until the tenant is known
    prometheus::Counter* operations = nullptr;
    std::optional<exporters::Payload> last;  ///< what ends or repeats; none after a collector error
    std::int64_t last_published_ms = 0;
    Timetable::Time last_due{};

    bool running = false;  ///< started, or waiting for a place among those in flight
    std::optional<Timetable::Time> pending;  ///< it came due while running: the first such time
    bool ended = false;

    bool can_run() const { return prepared.kind != nullptr; }
};

}  // namespace sonde::schedule
