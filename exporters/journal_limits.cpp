#include "exporters/journal_state.h"
#include "exporters/segment_scanner.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace sonde::exporters {
namespace {

/// Of the maximal age: how often at most all that waits is looked through for what is too old.
constexpr std::int64_t looks_per_age = 1000;

/// `a - b`, as far as the type reaches: what stands in a file may be any number.
std::int64_t difference(std::int64_t a, std::int64_t b)
{
    std::int64_t result = 0;
    if (__builtin_sub_overflow(a, b, &result))
        return a < b ? std::numeric_limits<std::int64_t>::min()
                     : std::numeric_limits<std::int64_t>::max();
    return result;
}

std::int64_t sum(std::int64_t a, std::int64_t b)
{
    std::int64_t result = 0;
    if (__builtin_add_overflow(a, b, &result))
        return a < 0 ? std::numeric_limits<std::int64_t>::min()
                     : std::numeric_limits<std::int64_t>::max();
    return result;
}

}  // namespace

void Journal::State::drop(
    std::uint64_t sequence, Type type, GapReason reason, std::vector<Dropped>& dropped)
{
    const auto& slot = contents.index.slots().at(sequence);
    dropped.push_back({contents.index.describe(sequence, slot, type), reason});
    add_settled(put_off, sequence, type);
    contents.index.settle(sequence, type);
}

void Journal::State::drop_all(
    std::uint32_t segment, GapReason reason, std::vector<Dropped>& dropped)
{
    const auto& slots = contents.index.slots();
    for (auto at = slots.begin(); at != slots.end();) {
        const auto [sequence, slot] = *at++;
        if (slot.place.segment != segment)
            continue;
        for (const Type type : {Type::metrics, Type::logs})
            if (slot.bytes(type) > 0)
                drop(sequence, type, reason, dropped);
    }
}

/// An entry of that time may be the next that becomes too old.
void Journal::State::look_again(std::int64_t timestamp_ms)
{
    next_look_ms = std::min(next_look_ms, sum(timestamp_ms, options.max_age.count()));
}

void Journal::State::drop_too_old(std::int64_t now_ms, std::vector<Dropped>& dropped)
{
    if (now_ms < next_look_ms)
        return;
    const auto max_age = options.max_age.count();
    auto oldest_ms = std::numeric_limits<std::int64_t>::max();
    const auto& slots = contents.index.slots();
    for (auto at = slots.begin(); at != slots.end();) {
        const auto [sequence, slot] = *at++;
        if (difference(now_ms, slot.timestamp_ms) <= max_age) {
            oldest_ms = std::min(oldest_ms, slot.timestamp_ms);
            continue;
        }
        for (const Type type : {Type::metrics, Type::logs})
            if (slot.bytes(type) > 0)
                drop(sequence, type, GapReason::too_old, dropped);
    }
    next_look_ms = std::max(sum(oldest_ms, max_age), sum(now_ms, max_age / looks_per_age));
}

/// Keeps so far below the limit that there is room to clean, and for the next batch before what is
/// dropped now goes.
void Journal::State::make_room(std::vector<Dropped>& dropped)
{
    const auto limit =
        options.max_bytes - std::min(2 * options.segment_bytes, options.max_bytes / 8);
    auto cleanings = contents.index.load().bytes < limit / 2 ? log.files().size() : 0;
    while (held_bytes() > limit) {
        const auto& files = log.files();
        const auto first = std::find_if(files.begin(), files.end(),
            [&](const auto& file) { return contents.index.load(file.first).halves > 0; });
        if (first == files.end() || log.is_open(first->first))
            log.seal();  // what is in it can go only when there is another
        if (first == files.end())
            return;
        // Behind a segment that goes with the next write nothing can go before it.
        const bool at_front = first == files.begin();
        if (at_front && (cleanings > 0 || worth_cleaning(first->first))) {
            const bool cleaned = clean_first(dropped) && remove_settled();
            cleanings = cleaned && cleanings > 0 ? cleanings - 1 : 0;
            if (cleaned)
                continue;
        }
        drop_all(first->first, GapReason::journal_full, dropped);
    }
}

/// Whether less than half of a segment waits.
bool Journal::State::worth_cleaning(std::uint32_t segment) const
{
    const auto load = contents.index.load(segment);
    const auto& file = log.files().at(segment);
    return !log.is_open(segment) && load.halves > 0 &&
           load.bytes < (file.bytes - file.overhead) / 2;
}

/// What waits in the first segment is written again at the end. @return whether the segment may go
/// at once: no gap has to tell first of what could not be read.
bool Journal::State::clean_first(std::vector<Dropped>& dropped)
{
    const auto first = log.files().begin()->first;
    const auto bytes = log.content(first);
    if (!bytes)
        return false;
    const auto entries = still_waiting(first, *bytes);
    std::vector<std::uint64_t> offsets;
    const auto segment = append([&](segment::Encoder& encoder) {
        offsets.clear();
        for (const segment::EntryView& entry : entries)
            offsets.push_back(encoder.entry(entry, segment::RecordType::moved));
    });
    if (!segment)
        return false;
    const auto places = places_of(*segment, offsets);
    for (std::size_t i = 0; i < entries.size(); ++i)
        contents.index.put(entries[i], places[i]);
    const bool all = contents.index.load(first).halves == 0;
    if (!all)
        drop_all(first, GapReason::corrupted, dropped);
    return all;
}

/// Entries of a segment, without the halves that are settled.
std::vector<segment::EntryView> Journal::State::still_waiting(
    std::uint32_t segment, std::string_view bytes) const
{
    std::vector<segment::EntryView> entries;
    const auto& slots = contents.index.slots();
    segment::Scanner scanner{bytes, segment};
    while (const auto piece = scanner.next()) {
        if (piece->kind != segment::Piece::Kind::record ||
            (piece->type != segment::RecordType::entry &&
                piece->type != segment::RecordType::moved))
            continue;
        auto entry = segment::parse_entry(piece->content);
        const auto slot = entry ? slots.find(entry->sequence) : slots.end();
        const JournalIndex::Place place{segment, static_cast<std::uint32_t>(piece->offset)};
        if (slot == slots.end() || slot->second.place != place)
            continue;
        if (slot->second.metrics_bytes == 0)
            entry->metrics = {};
        if (slot->second.logs_bytes == 0)
            entry->logs = {};
        entries.push_back(*entry);
    }
    return entries;
}

/// Removes segments at the beginning in which nothing waits. @return whether any went.
bool Journal::State::remove_settled()
{
    bool any = false;
    while (log.files().size() > 1 && contents.index.load(log.files().begin()->first).halves == 0) {
        if (log.remove_first().has_error())
            break;
        any = true;
    }
    return any;
}

/// Of all files but those that go with the next write.
std::size_t Journal::State::held_bytes() const
{
    auto held = log.bytes();
    for (const auto& [number, file] : log.files()) {
        if (contents.index.load(number).halves > 0 || log.is_last(number))
            break;
        held -= file.bytes;
    }
    return held;
}

}  // namespace sonde::exporters
