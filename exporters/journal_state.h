#pragma once

#include "exporters/journal.h"
#include "exporters/journal_index.h"
#include "exporters/journal_replay.h"
#include "exporters/segment_format.h"
#include "exporters/segment_log.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::exporters {

/// A journal that is open: journal.cpp has how it is written and read, journal_limits.cpp how it is
/// kept small.
struct Journal::State {
    using Places = std::vector<JournalIndex::Place>;
    using Fill = segment::SegmentLog::Fill;

    /// What a batch comes to, with what was put off.
    struct Outgoing {
        HalfSet skipped;  ///< numbers that no entry has
        HalfSet settled;
        bool tells = false;  ///< of the damage that was found
    };

    explicit State(const Options& its_options);

    // Writing.
    std::optional<Error> take(const Batch& batch);
    Outgoing outgoing(const Batch& batch) const;
    void add_settled(HalfSet& halves, std::uint64_t sequence, Type type) const;
    void apply(const Batch& batch, const Outgoing& out, const Places& places);
    Result<std::uint32_t> append(const Fill& fill);
    void checkpoint(segment::Encoder& encoder) const;

    // Keeping the limits.
    void drop(std::uint64_t sequence, Type type, GapReason reason, std::vector<Dropped>& dropped);
    void drop_all(std::uint32_t segment, GapReason reason, std::vector<Dropped>& dropped);
    void look_again(std::int64_t timestamp_ms);
    void drop_too_old(std::int64_t now_ms, std::vector<Dropped>& dropped);
    void make_room(std::vector<Dropped>& dropped);
    bool worth_cleaning(std::uint32_t segment) const;
    bool clean_first(std::vector<Dropped>& dropped);
    std::vector<segment::EntryView> still_waiting(
        std::uint32_t segment, std::string_view bytes) const;
    bool remove_settled();
    std::size_t held_bytes() const;

    Result<segment::EntryView> read(
        std::uint64_t sequence, JournalIndex::Slot slot, std::string& bytes);

    Options options;
    const std::size_t wanted_segment_bytes;  ///< options has what max_bytes allows of it
    segment::SegmentLog log;
    JournalContents contents;
    JournalDamage damage;  ///< not recorded yet
    HalfSet put_off;       ///< settled, but that is not written yet
    std::int64_t next_look_ms = std::numeric_limits<std::int64_t>::min();  ///< for what is too old
};

/// Where records stand that were written at these offsets.
std::vector<JournalIndex::Place> places_of(
    std::uint32_t segment, const std::vector<std::uint64_t>& offsets);

}  // namespace sonde::exporters
