#pragma once

#include "agent/cli/outcome.h"

#include <string>
#include <vector>

namespace sonde::cli {

/// Something a check's owner asked for, with what came of it.
struct Expectation {
    enum class State { holds, broken, unknown };  ///< unknown: the run did not get that far

    std::string what;   ///< "status in 2xx"
    std::string value;  ///< the resolved value, "503"; may be empty
    State state = State::unknown;
};

/// The expectations of the check, in the order in which they are judged, and the limits of its
/// duration.
std::vector<Expectation> expectations_of(const Outcome& outcome);

}  // namespace sonde::cli
