#pragma once

#include "agent/base/backoff.h"
#include "exporters/timings.h"

#include <chrono>
#include <cstddef>

namespace sonde::exporters::lane {

/// When a lane may try again, with how many records, and how long it waits for the answer. It
/// follows what came of its requests. Has no clock: it is told the time.
class Pace {
public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::milliseconds;

    explicit Pace(const Timings& timings);

    /// The remote took a request; the answer came after `took`.
    void delivered(Duration took, Duration normal_timeout);

    /// It answered that these records will never be taken: it is there.
    void refused();

    /// No answer, or one that means "later". `unclear`: the request was sent, so that it may have
    /// been stored. `jitter` lies in [0, 1].
    void failed(Time now, double jitter, bool unclear);

    void rejected_credentials(Time now);
    void rejected_all(Time now);
    void told_to_wait(Time until);

    bool failing() const { return failing_; }    ///< the last request got nothing through
    Time next_try() const { return next_try_; }  ///< not before
    std::size_t most_records() const { return most_records_; }  ///< of one request
    Duration timeout(Duration normal) const { return normal * patience_; }

private:
    void answered();
    void fail(Time next_try);

    Backoff trouble_;
    Backoff credentials_;
    Backoff fatal_;
    bool failing_ = false;
    Time next_try_ = Time::min();
    std::size_t most_records_;
    int patience_ = 1;  // times the normal time-out
};

}  // namespace sonde::exporters::lane
