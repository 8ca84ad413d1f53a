#pragma once

#include "agent/base/stopwatch.h"
#include "checkers/check.h"

#include <string>
#include <string_view>

namespace sonde::checkers {

/// Times a phase that has a series: noted when the timer goes, however the run goes on, also at the
/// deadline.
class PhaseTimer {
public:
    PhaseTimer(Run& run, const Metric& metric, std::string_view phase)
        : run_{run}, metric_{metric}, phase_{phase}
    {
        run_.phase = phase;
    }
    ~PhaseTimer()
    {
        const double seconds = clock_.seconds();
        run_.took(phase_, seconds);
        run_.observed.set(metric_, seconds, {std::string{phase_}});
    }
    PhaseTimer(const PhaseTimer&) = delete;
    PhaseTimer& operator=(const PhaseTimer&) = delete;

private:
    Run& run_;
    const Metric& metric_;
    std::string_view phase_;
    Stopwatch clock_;
};

}  // namespace sonde::checkers
