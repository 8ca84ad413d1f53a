#pragma once

#include "checkers/check.h"

#include <chrono>

namespace sonde::checkers {

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
};

/// Runs a prepared check once, for `subject.timeout` at most. Never throws for the target's faults;
/// cancelled from outside it throws operation_aborted.
asio::awaitable<Report> run_once(const Kind& kind, const Checker& checker, net::Services& net,
    const config::CheckersConfig& options, const Subject& subject);

}  // namespace sonde::checkers
