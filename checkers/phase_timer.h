#pragma once

#include "checkers/check.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::checkers {

/// Times a phase that has a series: noted when the timer goes, however the run goes on, also at the
/// deadline.
class PhaseTimer {
public:
    using Clock = std::chrono::steady_clock;

    PhaseTimer(Run& run, const Metric& metric, std::string_view phase)
        : run_{run}, metric_{metric}, phase_{phase}
    {
        run_.phase = phase;
    }
    ~PhaseTimer()
    {
        const std::chrono::duration<double> took = end_.value_or(Clock::now()) - began_;
        const double seconds = took.count();
        run_.took(phase_, seconds);
        run_.observed.set(metric_, seconds, {std::string{phase_}});
    }
    PhaseTimer(const PhaseTimer&) = delete;
    PhaseTimer& operator=(const PhaseTimer&) = delete;

    Clock::time_point began() const { return began_; }
    /// The phase was over at `end`, as the kernel says: what has passed since is our own delay.
    void ended(Clock::time_point end)
    {
        end_ = std::max(end, began_);
        run_.late += std::max(Clock::now() - *end_, Clock::duration::zero());
    }

private:
    Run& run_;
    const Metric& metric_;
    std::string_view phase_;
    Clock::time_point began_ = Clock::now();
    std::optional<Clock::time_point> end_;  ///< nullopt: when the timer goes
};

}  // namespace sonde::checkers
