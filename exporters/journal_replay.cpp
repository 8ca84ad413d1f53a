#include "exporters/journal_replay.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace sonde::exporters {
namespace {

using segment::Piece;
using segment::RecordType;

bool may_hide_runs(const std::optional<RecordType>& type)
{
    return !type || *type == RecordType::entry || *type == RecordType::moved ||
           *type == RecordType::gaps;
}

Gap corrupted(std::int64_t from_ms, std::int64_t to_ms, std::uint64_t runs)
{
    Gap gap;
    std::tie(gap.from_ms, gap.to_ms) = std::minmax(from_ms, to_ms);
    gap.runs = runs;
    gap.reason = GapReason::corrupted;
    return gap;
}

}  // namespace

void JournalReplay::segment(std::uint32_t number, std::string_view bytes)
{
    torn_bytes_ = 0;
    segment::Scanner scanner{bytes, number};
    while (const auto piece = scanner.next()) {
        if (piece->kind == Piece::Kind::torn)
            torn_bytes_ = piece->bytes;
        else if (piece->kind == Piece::Kind::damaged || !record(number, *piece))
            damaged(number, *piece);
    }
}

bool JournalReplay::record(std::uint32_t segment, const Piece& piece)
{
    const JournalIndex::Place place{segment, static_cast<std::uint32_t>(piece.offset)};
    switch (*piece.type) {
    case RecordType::checkpoint:
        return checkpoint(piece.content);
    case RecordType::entry:
        return entry(piece.content, place);
    case RecordType::moved:
        return moved(piece.content, place);
    case RecordType::settled:
        return settled(piece.content);
    case RecordType::gaps:
        if (const auto gaps = segment::parse_gaps(piece.content)) {
            for (const Gap& gap : *gaps)
                contents_.record(gap);
            return true;
        }
        return false;
    case RecordType::told:
        if (const auto places = segment::parse_told(piece.content)) {
            told_.insert(places->begin(), places->end());
            return true;
        }
        return false;
    case RecordType::in_order:
        if (auto ways = segment::parse_in_order(piece.content)) {
            contents_.in_order = std::move(*ways);
            return true;
        }
        return false;
    }
    return false;
}

bool JournalReplay::checkpoint(std::string_view content)
{
    const auto checkpoint = segment::parse_checkpoint(content);
    if (!checkpoint)
        return false;
    expect(checkpoint->next_sequence);
    const bool dated = last_timestamp_ms_.has_value();
    for (const LastRun& run : checkpoint->last_runs) {
        contents_.index.note_run(run.check, run.due_ms);
        if (!dated)
            last_timestamp_ms_ = std::max(last_timestamp_ms_.value_or(run.due_ms), run.due_ms);
    }
    // It repeats what was recorded before it, and what of that has become unreadable.
    contents_.in_order.clear();
    contents_.gaps.assign(checkpoint->gaps.begin(), checkpoint->gaps.end());
    return true;
}

bool JournalReplay::entry(std::string_view content, JournalIndex::Place place)
{
    const auto entry = segment::parse_entry(content);
    if (!entry)
        return false;
    expect(entry->sequence);
    found(entry->sequence, entry->sequence);
    contents_.next_sequence = std::max(contents_.next_sequence, entry->sequence + 1);
    contents_.index.put(*entry, place);
    date(entry->timestamp_ms);
    return true;
}

bool JournalReplay::moved(std::string_view content, JournalIndex::Place place)
{
    const auto entry = segment::parse_entry(content);
    if (!entry)
        return false;
    found(entry->sequence, entry->sequence);
    contents_.index.put(*entry, place);
    return true;
}

bool JournalReplay::settled(std::string_view content)
{
    const auto halves = segment::parse_settled(content);
    if (!halves)
        return false;
    for (const Type type : {Type::metrics, Type::logs})
        for (const auto& [first, last] : halves->of(type).ranges()) {
            if (based_ && last >= contents_.next_sequence)
                expect(last + 1);
            missing_.of(type).erase(first, last);
        }
    contents_.index.settle(*halves);
    return true;
}

void JournalReplay::damaged(std::uint32_t segment, const Piece& piece)
{
    Place place;
    place.at = {segment, piece.offset};
    place.may_hide_runs = may_hide_runs(piece.type);
    place.span.from_ms = last_timestamp_ms_.value_or(0);
    places_.push_back(place);
}

/// `sequence` is the number that follows what was written so far.
void JournalReplay::expect(std::uint64_t sequence)
{
    auto& next = contents_.next_sequence;
    if (!std::exchange(based_, true))
        next = sequence;
    if (sequence < next)
        return;
    if (sequence > next) {
        missing_.metrics.insert(next, sequence - 1);
        missing_.logs.insert(next, sequence - 1);
        jumps_.push_back({next, {last_timestamp_ms_.value_or(0), 0}});
    }
    close_places(sequence > next);
    next = sequence;
}

void JournalReplay::close_places(bool explained)
{
    for (; closed_places_ < places_.size(); ++closed_places_)
        places_[closed_places_].explained = explained;
}

void JournalReplay::found(std::uint64_t first, std::uint64_t last)
{
    missing_.metrics.erase(first, last);
    missing_.logs.erase(first, last);
}

/// Ends the spans that were begun since the entry before; begins them too if there was none.
void JournalReplay::date(std::int64_t timestamp_ms)
{
    const auto end = [&](Span& span) {
        span.to_ms = timestamp_ms;
        if (!last_timestamp_ms_)
            span.from_ms = timestamp_ms;
    };
    for (; dated_places_ < places_.size(); ++dated_places_)
        end(places_[dated_places_].span);
    for (; dated_jumps_ < jumps_.size(); ++dated_jumps_)
        end(jumps_[dated_jumps_].span);
    last_timestamp_ms_ = timestamp_ms;
}

JournalDamage JournalReplay::finish(std::optional<std::int64_t> now_ms)
{
    close_places(false);
    date(now_ms.value_or(last_timestamp_ms_.value_or(0)));
    if (!contents_.index.slots().empty())
        contents_.next_sequence =
            std::max(contents_.next_sequence, contents_.index.slots().rbegin()->first + 1);
    JournalDamage damage;
    damage.missing = missing_;
    tell_missing(damage);
    tell_places(damage);
    return damage;
}

void JournalReplay::tell_missing(JournalDamage& damage) const
{
    SequenceSet samples_only = missing_.metrics;
    samples_only.erase(missing_.logs);
    SequenceSet events_only = missing_.logs;
    events_only.erase(missing_.metrics);
    SequenceSet both = missing_.metrics;
    both.erase(samples_only);
    const auto tell = [&](const SequenceSet& set, bool samples, bool events) {
        for (const auto& [first, last] : set.ranges()) {
            auto jump = std::upper_bound(jumps_.begin(), jumps_.end(), first,
                [](std::uint64_t number, const Jump& other) { return number < other.first; });
            const Span span = std::prev(jump)->span;
            Gap gap = corrupted(span.from_ms, span.to_ms, last - first + 1);
            gap.samples = samples;
            gap.events = events;
            damage.gaps.push_back(gap);
        }
    };
    tell(both, true, true);
    tell(samples_only, true, false);
    tell(events_only, false, true);
}

void JournalReplay::tell_places(JournalDamage& damage) const
{
    for (const Place& place : places_) {
        if (!place.may_hide_runs || told_.contains(place.at))
            continue;
        damage.places.push_back(place.at);
        if (!place.explained)
            damage.gaps.push_back(corrupted(place.span.from_ms, place.span.to_ms, 1));
    }
}

}  // namespace sonde::exporters
