#pragma once

#include "config/schema.h"

#include <chrono>
#include <cstdint>

namespace sonde::schedule {

/// Wall time. Due times are whole milliseconds of it.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Milliseconds since the epoch, as samples and gaps have it.
std::int64_t to_ms(Time time);
Time from_ms(std::int64_t ms);

/// The due times of a check: k × period + offset since the epoch, for every whole k. They depend on
/// nothing else, so they are the same after every restart (spec 07 §4).
struct Grid {
    std::chrono::milliseconds period{1};  ///< at least 1 ms
    std::chrono::milliseconds offset{0};  ///< in [0, period)

    /// The grid that has a point at `point`.
    static Grid through(Time point, std::chrono::milliseconds period);

    Time after(Time time) const;       ///< the first point later than `time`
    Time not_before(Time time) const;  ///< the first point at `time` or later
    Time not_after(Time time) const;   ///< the last point at `time` or earlier

    /// How many points lie in [from, until).
    std::uint64_t points(Time from, Time until) const;
};

/// The grid of a check on a probe. `check.offset` is used as it is, modulo the period; without one
/// the offset is a stable one in [0, min(period, spread)).
Grid grid_of(const pb::Check& check, std::int64_t probe_id, std::chrono::milliseconds spread);

/// A number in [0, spread) from what identifies a check on a probe; neighbouring ids land far
/// apart.
std::chrono::milliseconds stable_offset(std::int64_t check_id, std::int64_t tenant_id,
    std::int64_t probe_id, std::chrono::milliseconds spread);

}  // namespace sonde::schedule
