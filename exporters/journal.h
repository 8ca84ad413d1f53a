#pragma once

#include "agent/base/error.h"
#include "exporters/gap.h"
#include "exporters/record_type.h"
#include "exporters/tenant_source.h"
#include "exporters/wire.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sonde::exporters {

/// One payload on its way, as the remotes get it.
struct JournalEntry {
    std::uint64_t sequence = 0;  ///< consecutive over restarts
    TenantKey tenant;
    std::optional<CheckKey> run_of;
    std::int64_t timestamp_ms = 0;  ///< of its samples: when the run was due
    wire::Block metrics;            ///< empty body: none
    wire::Block logs;
};

/// One half of an entry: it has arrived, or will never be sent.
struct Settled {
    std::uint64_t sequence = 0;
    Type type = Type::metrics;
};

/// One half of an entry that is still to be sent.
struct Waiting {
    std::uint64_t sequence = 0;
    Type type = Type::metrics;
    TenantKey tenant;
    std::optional<CheckKey> run_of;
    std::int64_t timestamp_ms = 0;
    std::size_t bytes = 0;  ///< of its block
};

/// The last run of a check that the journal accounts for, as a result or in a gap.
struct LastRun {
    CheckKey check;
    std::int64_t due_ms = 0;  ///< the latest there was
};

/// The ways out whose remote takes nothing older than what it has, each with the CRC-32C of the URL
/// of which that is known: another may take more.
using InOrder = std::map<std::pair<TenantKey, Type>, std::uint32_t>;

/// What is published and not yet delivered, on disk: an append-only log of checksummed records in
/// segment files. One log serves all tenants; a segment goes when nothing in it, or in the segments
/// before it, waits any more. Old segments of which little is waiting are cleaned: what waits is
/// written again at the end. What write() has taken survives the end of the process however it
/// ends; what sync() has reached survives the machine's.
///
/// Blocks; one thread at a time. Has no clock: it is told the time.
class Journal {
public:
    struct Options {
        std::string directory;
        std::size_t max_bytes = 1 << 30;  ///< of all files
        std::chrono::milliseconds max_age{86'400'000};
        std::size_t segment_bytes = 8 << 20;  ///< at most a sixteenth of max_bytes counts
    };

    /// What was there when it was opened.
    struct Recovered {
        std::uint64_t next_sequence = 1;
        std::vector<Waiting> waiting;    ///< in the order of their sequence numbers
        std::vector<LastRun> last_runs;  ///< of every check known
        std::vector<Gap> gaps;           ///< recorded before, the newest of them; bounded
        std::vector<Gap> found;          ///< made by this opening: what could not be read. Not yet
                                         ///< recorded, that is for the caller
        InOrder in_order;                ///< as last written
        std::size_t torn_bytes = 0;      ///< cut off at the end: a write the process died in
    };

    struct Batch {
        std::vector<JournalEntry> entries;
        std::vector<Settled> settled;
        std::vector<Gap> gaps;
        std::optional<InOrder> in_order;  ///< all of them, when they have changed

        bool empty() const
        {
            return entries.empty() && settled.empty() && gaps.empty() && !in_order;
        }
    };

    struct Dropped {
        Waiting what;
        GapReason reason;
    };

    struct Written {
        /// Had to go for the limits, or cannot be read any more. It waits no longer, but leaves the
        /// disk only with the next write(): put the gaps that tell of it into that batch, and no
        /// end of the process loses them silently.
        std::vector<Dropped> dropped;
        std::optional<Error> failed;  ///< nothing of the batch is kept: "disk_full", "journal_io"
    };

    /// Makes the directory (0700) if need be and takes its lock.
    /// @return Error "journal_locked" (another process has it), "journal_io", "disk_full".
    static Result<std::pair<std::unique_ptr<Journal>, Recovered>> open(
        const Options& options, std::int64_t now_ms);

    /// What a directory holds, without taking its lock or changing anything. While another process
    /// writes there, a torn end is nothing unusual. @return Error "journal_io".
    static Result<Recovered> inspect(const std::string& directory);

    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;

    /// All of the batch or nothing. An empty batch is of use too: limits are looked at.
    ///
    /// Entries come with ascending sequence numbers; numbers that were left out (an entry that was
    /// delivered or lost without having been here) count as settled. Settling what does not wait
    /// does nothing. The gaps of Recovered::found belong into the first batch that has any with
    /// reason `corrupted`: with it they count as recorded and are not found again.
    ///
    /// Settlements alone never fail for want of room, since they are what makes room: they hold at
    /// once and are written with the next batch; if the process ends before, they wait again.
    Written write(const Batch& batch, std::int64_t now_ms);

    /// Other limits; what they no longer allow goes with the next write(), or the one after it.
    void set_limits(std::size_t max_bytes, std::chrono::milliseconds max_age);

    /// The block of something that waits. @return Error "corrupted" (for good: settle it and record
    /// a gap), "journal_io" (another try may succeed), "not_waiting" (settled or dropped before).
    Result<wire::Block> read(std::uint64_t sequence, Type type);

    /// Returns when the disk has all that was written. @return Error "journal_io", "disk_full".
    Result<> sync();

    std::size_t file_bytes() const;
    std::size_t segments() const;

private:
    struct State;
    explicit Journal(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace sonde::exporters
