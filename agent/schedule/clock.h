#pragma once

#include "agent/schedule/grid.h"

#include <chrono>
#include <functional>

namespace sonde::schedule {

/// The clocks of the host; tests have their own.
struct Clocks {
    std::function<std::chrono::nanoseconds()> running;  ///< is never set; goes on in suspension
    std::function<std::chrono::nanoseconds()> wall;     ///< since the epoch; somebody may set it
};
Clocks host_clocks();

/// Wall time that runs steadily: the host's wall clock as it stood when last followed, carried on
/// by the clock that is never set. Slewing (adjtime, NTP) moves both alike, so what shows is that
/// somebody has set the wall clock.
class WallClock {
public:
    explicit WallClock(Clocks clocks);

    Time now() const { return Time{clocks_.running() + distance_}; }

    /// How far the host's wall clock is ahead of now().
    std::chrono::nanoseconds ahead() const;

    /// Goes on from where the host's wall clock stood `ahead` of this one.
    void follow(std::chrono::nanoseconds ahead) { distance_ += ahead; }

private:
    Clocks clocks_;
    std::chrono::nanoseconds distance_{0};  // wall time less running time
};

}  // namespace sonde::schedule
