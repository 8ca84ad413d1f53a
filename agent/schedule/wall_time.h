#pragma once

#include <chrono>
#include <cstdint>

namespace sonde::schedule {

/// Due times of the steady clock as wall time. The distance between the clocks is taken anew only
/// when it has really moved, so that the grid of a check does not jitter by rounding.
class WallTime {
public:
    using Steady = std::chrono::steady_clock::time_point;

    /// Milliseconds since the epoch of a steady time near now.
    std::int64_t ms(Steady time)
    {
        const auto distance = std::chrono::system_clock::now().time_since_epoch() -
                              std::chrono::steady_clock::now().time_since_epoch();
        if (std::chrono::abs(distance - distance_) > std::chrono::milliseconds{1})
            distance_ = std::chrono::duration_cast<std::chrono::nanoseconds>(distance);
        return std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch() + distance_)
            .count();
    }

private:
    std::chrono::nanoseconds distance_{0};
};

}  // namespace sonde::schedule
