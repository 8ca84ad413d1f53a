#pragma once

#include "exporters/gap.h"
#include "exporters/journal.h"
#include "exporters/journal_sequences.h"
#include "exporters/segment_format.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace sonde::exporters {

/// What waits in a journal and where its blocks stand, in memory: 80 bytes for an entry with one or
/// both halves. Knows the last run of each check besides, since it must know the checks anyway.
class JournalIndex {
public:
    struct Place {
        std::uint32_t segment = 0;
        std::uint32_t offset = 0;

        bool operator==(const Place&) const = default;
    };

    /// An entry of which something waits.
    struct Slot {
        std::int64_t timestamp_ms = 0;
        Place place;
        std::uint32_t metrics_bytes = 0;  ///< of its block; 0: does not wait
        std::uint32_t logs_bytes = 0;
        std::uint32_t tenant = 0;  ///< numbers of this index
        std::uint32_t check = 0;

        std::uint32_t bytes(Type type) const
        {
            return type == Type::metrics ? metrics_bytes : logs_bytes;
        }
    };
    using Slots = std::map<std::uint64_t, Slot>;

    /// What waits in a segment.
    struct Load {
        std::size_t halves = 0;
        std::size_t bytes = 0;  ///< that it takes to write them elsewhere, at most
    };

    /// What of an entry has a block waits from now on; what was known of that number is replaced.
    void put(const segment::EntryView& entry, Place place);

    void settle(std::uint64_t sequence, Type type) { settle(sequence, sequence, type); }
    void settle(std::uint64_t first, std::uint64_t last, Type type);
    void settle(const HalfSet& halves);

    bool waits(std::uint64_t sequence, Type type) const;
    const Slots& slots() const { return slots_; }
    Waiting describe(std::uint64_t sequence, const Slot& slot, Type type) const;
    std::vector<Waiting> waiting() const;
    Load load(std::uint32_t segment) const;
    Load load() const;  ///< in all segments

    /// The run of `check` due at `due_ms` is accounted for.
    void note_run(CheckKey check, std::int64_t due_ms);
    const std::vector<LastRun>& last_runs() const { return last_runs_; }

private:
    std::uint32_t number_of(TenantKey tenant);
    void lift(Slot& slot, Type type);

    Slots slots_;
    std::map<std::uint32_t, Load> loads_;
    std::vector<TenantKey> tenants_;
    std::map<TenantKey, std::uint32_t> tenant_numbers_;
    std::vector<LastRun> last_runs_;
    std::map<CheckKey, std::uint32_t> check_numbers_;
};

/// All that a journal knows without reading a block.
struct JournalContents {
    JournalIndex index;
    std::deque<Gap> gaps;  ///< the newest of them
    std::uint64_t next_sequence = 1;
    InOrder in_order;

    void record(const Gap& gap);
};

}  // namespace sonde::exporters
