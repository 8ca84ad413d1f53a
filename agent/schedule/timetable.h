#pragma once

#include "agent/schedule/grid.h"

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
    /// Due times of a job in a row that nothing was done at.
    struct Missed {
        Time from{};
        Time to{};
        std::uint64_t times = 0;  ///< 0: none, and no meaning in the others
        bool operator==(const Missed&) const = default;
    };
    struct Due {
        std::uint64_t job;
        Time at;  ///< of several due times that have passed the last
        Missed missed = {};
        bool operator==(const Due&) const = default;
    };
    struct Skipped {
        std::uint64_t job;
        Missed missed;
    };

    /// Due at `first`, on the grid or not, then at every point of the grid after it, however long
    /// runs take. Due times are whole milliseconds, so that one wake-up serves all jobs of that
    /// millisecond.
    void put(std::uint64_t job, Time first, const Grid& grid);
    void remove(std::uint64_t job);

    /// The jobs due at `now`, earliest first. Each moves on to its next due time after `now`.
    std::vector<Due> take_due(Time now);

    /// The wall clock was set by `size` and says `now`; what was due before has been taken. Each
    /// job goes to the point of its grid that is nearest to one period after it last came due, so
    /// that no two runs are less than half a period apart nor more than one and a half. Where that
    /// point is past, the job comes due at the moment it would have without the step, and on its
    /// grid after.
    /// @return the points of the wall clock that were left out.
    std::vector<Skipped> step(std::chrono::nanoseconds size, Time now);

    Time next() const;                   ///< when to ask again; Time::max(): nothing is scheduled
    Time next(std::uint64_t job) const;  ///< of one job; Time::max() when it is not scheduled

private:
    struct Entry {
        Time before;  ///< when it last came due; of a new job a period before it first does
        Time due;
        Time then;  ///< the due time after it, on the grid
        Grid grid;

        void step(std::chrono::nanoseconds size, Time now);
        /// The next due time that is on the grid.
        Time next_point() const { return grid.not_before(due) == due ? due : then; }
    };
    std::map<std::uint64_t, Entry> entries_;
    std::set<std::pair<Time, std::uint64_t>> order_;
};

}  // namespace sonde::schedule
