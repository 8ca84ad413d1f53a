#pragma once

#include "agent/cli/outcome.h"

#include <string>

namespace sonde::cli {

/// What a person would do after a run.
struct NextStep {
    std::string command;  ///< to be pasted into a shell; empty: nothing comes to mind
    std::string why;      ///< what it tells
};

NextStep next_step(const Outcome& outcome);

}  // namespace sonde::cli
