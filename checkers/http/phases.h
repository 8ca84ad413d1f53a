#pragma once

#include "checkers/check.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::checkers::http {

using Clock = std::chrono::steady_clock;
using Moment = std::optional<Clock::time_point>;

/// When a hop got where (spec 02 §2.6); what it did not reach has no moment.
struct Stamps {
    Moment lookup_start;
    Moment lookup_end;
    Moment connected;
    Moment tls_start;
    Moment tls_end;
    Moment ready;  ///< for the request
    Moment first_byte;
    Moment end;
};

/// What one hop contributes to the phases, in seconds.
struct Contribution {
    double resolve = 0;
    double connect = 0;
    double tls = 0;
    double processing = 0;
    double transfer = 0;
};

/// `final`: transfer counts for the last hop only; `now` stands for an end that has not come.
Contribution contribution(const Stamps& stamps, bool final, Clock::time_point now);

/// The phase a hop is in, by what it has reached.
std::string_view open_phase(const Stamps& stamps);

/// The line the app builds its table from (spec 03 §5.6): times of day, unset ones included.
CheckLog::Fields timing_fields(std::size_t roundtrip, const Stamps& stamps);

}  // namespace sonde::checkers::http
