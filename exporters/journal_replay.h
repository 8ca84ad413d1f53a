#pragma once

#include "exporters/journal_index.h"
#include "exporters/segment_scanner.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace sonde::exporters {

/// What of a journal cannot be read and is not recorded as a gap yet.
struct JournalDamage {
    std::vector<Gap> gaps;  ///< that are to be recorded of it
    HalfSet missing;        ///< of entries that are nowhere
    std::vector<segment::DamagedPlace> places;
};

/// Makes of the bytes of segments, oldest first, what they say. No I/O; any bytes will do.
///
/// Sequence numbers are consecutive and the segments before the first that is there hold nothing
/// that waits. So a number that appears neither as an entry nor as settled was lost. A damaged
/// place that this does not account for (it may have held a gap, or an entry that was moved) is
/// taken for one lost run, unless its header is whole and says that it held none.
class JournalReplay {
public:
    explicit JournalReplay(JournalContents& contents) : contents_{contents} {}

    void segment(std::uint32_t number, std::string_view bytes);

    /// At the end of the last segment.
    std::size_t torn_bytes() const { return torn_bytes_; }

    /// Once all segments are through. @param now_ms ends the time in which runs at the end of the
    /// log may have been lost; absent: the last known run does.
    JournalDamage finish(std::optional<std::int64_t> now_ms);

private:
    /// From the entry before to the one after, since what stood between them has no known time.
    struct Span {
        std::int64_t from_ms = 0;
        std::int64_t to_ms = 0;
    };
    struct Place {
        segment::DamagedPlace at;
        Span span;
        bool may_hide_runs = true;
        bool explained = false;  ///< by missing sequence numbers
    };
    struct Jump {
        std::uint64_t first = 0;  ///< missing, as it seemed
        Span span;
    };

    bool record(std::uint32_t segment, const segment::Piece& piece);
    bool checkpoint(std::string_view content);
    bool entry(std::string_view content, JournalIndex::Place place);
    bool moved(std::string_view content, JournalIndex::Place place);
    bool settled(std::string_view content);
    void damaged(std::uint32_t segment, const segment::Piece& piece);
    void expect(std::uint64_t sequence);
    void close_places(bool explained);
    void date(std::int64_t timestamp_ms);
    void found(std::uint64_t first, std::uint64_t last);
    void tell_missing(JournalDamage& damage) const;
    void tell_places(JournalDamage& damage) const;

    JournalContents& contents_;
    bool based_ = false;  ///< next_sequence is known: numbers from there on can be missing
    std::size_t torn_bytes_ = 0;
    std::optional<std::int64_t> last_timestamp_ms_;
    HalfSet missing_;
    std::vector<Jump> jumps_;  ///< ascending
    std::vector<Place> places_;
    std::size_t closed_places_ = 0;  ///< it is settled whether these are explained
    std::size_t dated_places_ = 0;   ///< the entry after these has been seen
    std::size_t dated_jumps_ = 0;
    std::set<segment::DamagedPlace> told_;
};

}  // namespace sonde::exporters
