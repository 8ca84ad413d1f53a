#pragma once

#include "checkers/check.h"

#include <algorithm>
#include <chrono>

namespace sonde::checkers {

/// The line before the last one of a run in which this probe took more than a millisecond, and more
/// than a tenth of the duration, for itself.
inline constexpr std::string_view probe_was_late = "The probe was late";

/// What this probe itself has added to the time of a run.
struct OwnDelay {
    std::chrono::nanoseconds loop_late{0};  ///< news of the target lay there, the loop was busy
    std::chrono::nanoseconds starved{0};    ///< the loop could have run, but had no core

    /// They overlap: the one is a part of the other, or neither holds all.
    std::chrono::nanoseconds least() const { return std::max(loop_late, starved); }
};
OwnDelay delay_of(const Run& run);

/// Everything one run has found out.
struct Report {
    Verdict verdict;
    std::chrono::system_clock::time_point started_at;
    double duration_seconds = 0;  ///< as published: wall time, or the kind's own (ping)
    double wall_seconds = 0;
    Observations observed;
    std::vector<LogEntry> log;  ///< first "Beginning check", last how it ended
    std::vector<Phase> phases;  ///< all of the kind, in its order
    std::optional<asio::ip::address> address;
    std::optional<CertificateSummary> certificate;
    std::chrono::nanoseconds probe_late{0};  ///< what this probe itself has added to wall_seconds
    bool late = false;                       ///< so much of it that the log says so
};

/// Runs a prepared check once, for `subject.timeout` at most. Never throws for the target's faults;
/// cancelled from outside it throws operation_aborted.
asio::awaitable<Report> run_once(const Kind& kind, const Checker& checker, net::Services& net,
    const config::CheckersConfig& options, const Subject& subject);

}  // namespace sonde::checkers
