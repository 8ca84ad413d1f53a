#pragma once

#include "tests/faults/program.h"
#include "tests/support/push_receiver.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace sonde::tests {

/// The program under test with checks of its own, one run a second each, that push to a receiver.
class FaultyLife {
public:
    /// @param extra more sections of its file.
    /// @param tenants that section, where it is not the receiver of this that gets the results.
    explicit FaultyLife(
        std::size_t checks, const std::string& extra = {}, const std::string& tenants = {});

    PushReceiver remote;
    PushReceiver target;  ///< what the checks connect to; nothing is ever wrong with it

    void start(const std::vector<std::string>& environment = {}) { program_.start(environment); }
    void kill() { program_.kill(); }
    int stop() { return program_.stop(); }
    void freeze() const;
    void thaw() const;

    double metric(const std::string& name) const { return program_.metric(name); }
    void await_delivery() const;
    std::string log() const { return program_.log(); }
    std::string directory() const { return program_.directory(); }
    std::string job(std::size_t check) const;

    /// Compares the receiver with the journal once the program has ended: every due time of every
    /// check, from its first to its last, has arrived or stands in a gap.
    struct Balance {
        std::size_t scheduled = 0;
        std::size_t delivered = 0;
        std::size_t missing = 0;       ///< in gaps
        std::size_t unexplained = 0;   ///< neither
        std::size_t contradicted = 0;  ///< both: delivered, and in a gap of samples
    };
    Balance balance() const;
    /// Due times of a check that stand in gaps of samples.
    std::set<std::int64_t> missing(std::size_t check) const;
    using Arrived = std::function<PushReceiver::Times(const std::string& job)>;
    Balance balance(const Arrived& arrived) const;

private:
    std::string yaml(const std::string& extra, const std::string& tenants) const;

    std::size_t checks_;
    Program program_;
};

}  // namespace sonde::tests
