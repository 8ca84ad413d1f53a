#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace sonde::schedule {

/// Which job is due when. Has no clock and no timer: told the time, it says what to do.
class Timetable {
public:
    using Time = std::chrono::steady_clock::time_point;

    struct Due {
        std::uint64_t job;
        Time at;  ///< when it was due; of several missed times the first
        bool operator==(const Due&) const = default;
    };

    /// Due at `first`, then every `period` from there, however long runs take. Due times are whole
    /// milliseconds, so that one wake-up serves all jobs of that millisecond.
    void put(std::uint64_t job, Time first, std::chrono::milliseconds period);
    void remove(std::uint64_t job);

    /// The jobs due at `now`, earliest first. Each moves on to its next due time after `now`.
    std::vector<Due> take_due(Time now);

    Time next() const;                   ///< when to ask again; Time::max(): nothing is scheduled
    Time next(std::uint64_t job) const;  ///< of one job; Time::max() when it is not scheduled

private:
    struct Entry {
        Time due;
        std::chrono::milliseconds period;
    };
    std::map<std::uint64_t, Entry> entries_;
    std::set<std::pair<Time, std::uint64_t>> order_;
};

/// The offset of a check's grid, the same after every restart (spec 07 §4): in [0, spread), from
/// what identifies the check.
std::chrono::milliseconds stable_offset(
    std::int64_t check_id, std::int64_t tenant_id, std::chrono::milliseconds spread);

}  // namespace sonde::schedule
