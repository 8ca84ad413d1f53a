#include "exporters/lane/pace.h"

#include <algorithm>
#include <limits>

namespace sonde::exporters::lane {
namespace {

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();
constexpr std::size_t growth = 4;  // of a request's records after a success
constexpr int most_patience = 12;

}  // namespace

Pace::Pace(const Timings& timings)
    : trouble_{timings.first_backoff, timings.longest_backoff, 2},
      credentials_{timings.after_401, timings.longest_401, 2},
      fatal_{timings.after_fatal, timings.longest_fatal, 2}, most_records_{any_number}
{}

void Pace::delivered(Duration took, Duration normal_timeout)
{
    answered();
    most_records_ = most_records_ > any_number / growth ? any_number : most_records_ * growth;
    // A remote that is always slow would time out again, and store everything twice.
    if (took < normal_timeout)
        patience_ = 1;
}

void Pace::refused()
{
    answered();
    most_records_ = 1;  // where one is refused the next may be, too
}

void Pace::answered()
{
    failing_ = false;
    next_try_ = Time::min();
    trouble_.reset();
    credentials_.reset();
    fatal_.reset();
}

void Pace::failed(Time now, double jitter, bool unclear)
{
    if (unclear)
        patience_ = std::min(patience_ * 2, most_patience);
    const std::chrono::duration<double, std::milli> wait = trouble_.next();
    fail(now + std::chrono::round<Duration>(wait * (0.8 + (0.4 * jitter))));
}

void Pace::rejected_credentials(Time now)
{
    fail(now + credentials_.next());
}

void Pace::rejected_all(Time now)
{
    fail(now + fatal_.next());
}

void Pace::told_to_wait(Time until)
{
    fail(until);
}

void Pace::fail(Time next_try)
{
    failing_ = true;
    next_try_ = next_try;
    most_records_ = 1;
}

}  // namespace sonde::exporters::lane
