#pragma once

#include "exporters/journal.h"
#include "tests/support/process.h"
#include "tests/support/push_receiver.h"
#include "tests/support/scratch_folder.h"

#include <cstdint>
#include <functional>
#include <optional>
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

    void start();
    void kill();  ///< SIGKILL
    int stop();   ///< SIGTERM. @return the exit status
    void freeze() const;
    void thaw() const;

    /// Sum of a metric over all its labels, as `/metrics` says now.
    double metric(const std::string& name) const;
    void await_delivery() const;
    std::string log() const;
    std::string directory() const { return folder_.path("state"); }
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
    using Arrived = std::function<PushReceiver::Times(const std::string& job)>;
    Balance balance(const Arrived& arrived) const;

private:
    std::string yaml(const std::string& extra, const std::string& tenants) const;

    std::size_t checks_;
    ScratchFolder folder_;
    std::uint16_t status_port_ = free_port();
    std::optional<Process> sonde_;
    int starts_ = 0;
};

/// Asks again and again until the answer is yes; fails the test after `limit`.
void await(const std::string& what, const std::function<bool()>& happened,
    std::chrono::seconds limit = std::chrono::seconds{60});

}  // namespace sonde::tests
