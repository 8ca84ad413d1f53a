#pragma once

#include <chrono>

namespace sonde {

/// Exponential waiting times between attempts, bounded on both sides. The jitter is an argument, so
/// that the sequence can be tested.
class Backoff {
public:
    using Milliseconds = std::chrono::duration<double, std::milli>;

    Backoff(Milliseconds first, Milliseconds ceiling, double factor)
        : first_{first}, ceiling_{ceiling}, factor_{factor}
    {}

    /// The next wait: `first + jitter × (first × factorⁿ − first)`, at most the ceiling.
    /// `jitter` lies in [0, 1]; 1 is plain exponential back-off.
    std::chrono::milliseconds next(double jitter = 1);
    void reset() { attempts_ = 0; }
    int attempts() const { return attempts_; }  ///< waits handed out since the last reset

private:
    Milliseconds first_;
    Milliseconds ceiling_;
    double factor_;
    int attempts_ = 0;
};

}  // namespace sonde
