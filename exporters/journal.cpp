#include "exporters/journal.h"

#include "exporters/journal_replay.h"
#include "exporters/journal_state.h"
#include "exporters/segment_format.h"
#include "exporters/segment_log.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <utility>

namespace sonde::exporters {
namespace {

using segment::EntryView;
using Places = std::vector<JournalIndex::Place>;

constexpr std::size_t smallest_segment = 4 << 10;
constexpr std::size_t largest_segment = 64 << 20;
constexpr std::size_t last_runs_kept = 65'536;
/// A bit more than an entry takes besides its blocks.
constexpr std::size_t entry_overhead = 96;

Journal::Options fitted(Journal::Options options)
{
    options.segment_bytes = std::clamp(
        std::min(options.segment_bytes, options.max_bytes / 16), smallest_segment, largest_segment);
    return options;
}

EntryView view_of(const JournalEntry& entry)
{
    return {entry.sequence, entry.tenant, entry.run_of, entry.timestamp_ms,
        {entry.metrics.body, entry.metrics.raw_size}, {entry.logs.body, entry.logs.raw_size}};
}

/// The latest runs of the checks that ran last: checks come and go, and nobody says which are gone.
std::vector<LastRun> newest(std::vector<LastRun> runs)
{
    if (runs.size() <= last_runs_kept)
        return runs;
    const auto end = runs.begin() + last_runs_kept;
    std::nth_element(runs.begin(), end, runs.end(),
        [](const LastRun& a, const LastRun& b) { return a.due_ms > b.due_ms; });
    runs.erase(end, runs.end());
    return runs;
}

Journal::Recovered recovered(
    const JournalContents& contents, const JournalDamage& damage, std::size_t torn_bytes)
{
    Journal::Recovered all;
    all.next_sequence = contents.next_sequence;
    all.waiting = contents.index.waiting();
    all.last_runs = contents.index.last_runs();
    all.gaps.assign(contents.gaps.begin(), contents.gaps.end());
    all.found = damage.gaps;
    all.in_order = contents.in_order;
    all.torn_bytes = torn_bytes;
    return all;
}

/// Reads a journal that another process may be writing, as of the moment it comes to the end.
/// @return false: a segment is missing between others. It may have been taken away meanwhile.
Result<bool> show_all(const segment::SegmentFolder& folder, JournalReplay& replay)
{
    bool unbroken = true;
    std::uint32_t shown = 0;
    auto numbers = folder.numbers();
    for (std::uint32_t passed = 0;;) {
        if (!numbers)
            return numbers.error();
        const auto next = std::upper_bound(numbers->begin(), numbers->end(), passed);
        if (next == numbers->end())
            return unbroken;
        passed = *next;
        const auto number = passed;
        const bool was_last = std::next(next) == numbers->end();
        auto bytes = folder.content(number, segment::max_file_bytes);
        numbers = folder.numbers();
        const bool is_last = numbers && !numbers->empty() && numbers->back() == number;
        if (was_last && !is_last)  // it may have grown before the next was begun
            bytes = folder.content(number, segment::max_file_bytes);
        if (!bytes && bytes.error().reason != "corrupted")
            return bytes.error();
        if (!bytes)
            continue;  // gone since it was listed
        if (auto known = segment::check_version(number, *bytes); known.has_error())
            return known.error();
        unbroken = unbroken && (shown == 0 || number == shown + 1);
        shown = number;
        replay.segment(number, *bytes);
        if (is_last)
            return unbroken;
    }
}

}  // namespace

Places places_of(std::uint32_t segment, const std::vector<std::uint64_t>& offsets)
{
    Places places;
    places.reserve(offsets.size());
    for (const auto offset : offsets)
        places.push_back({segment, static_cast<std::uint32_t>(offset)});
    return places;
}

Journal::State::State(const Options& its_options)
    : options{fitted(its_options)}, wanted_segment_bytes{its_options.segment_bytes},
      log{options.directory, options.segment_bytes}
{}

/// Settled are both halves if nothing else of the entry waits: should its record become
/// unreadable, it is then known that nothing is lost.
void Journal::State::add_settled(HalfSet& halves, std::uint64_t sequence, Type type) const
{
    const auto other = type == Type::metrics ? Type::logs : Type::metrics;
    halves.of(type).insert(sequence, sequence);
    if (contents.index.waits(sequence, type) && !contents.index.waits(sequence, other))
        halves.of(other).insert(sequence, sequence);
}

Journal::State::Outgoing Journal::State::outgoing(const Batch& batch) const
{
    Outgoing out;
    auto next = contents.next_sequence;
    for (const JournalEntry& entry : batch.entries) {
        if (entry.sequence == 0 || entry.sequence >= sequence_end)
            throw std::invalid_argument{"journal: no sequence number"};
        if (entry.sequence > next) {
            out.skipped.metrics.insert(next, entry.sequence - 1);
            out.skipped.logs.insert(next, entry.sequence - 1);
        }
        next = std::max(next, entry.sequence + 1);
    }
    out.settled = put_off;
    for (const Settled& half : batch.settled)
        if (contents.index.waits(half.sequence, half.type) ||
            (half.sequence >= contents.next_sequence && half.sequence < next))
            add_settled(out.settled, half.sequence, half.type);
    out.tells = std::any_of(batch.gaps.begin(), batch.gaps.end(),
        [](const Gap& gap) { return gap.reason == GapReason::corrupted; });
    if (out.tells)
        out.settled.insert(damage.missing);
    return out;
}

std::optional<Error> Journal::State::take(const Batch& batch)
{
    const Outgoing out = outgoing(batch);
    if (batch.entries.empty() && batch.gaps.empty() && !batch.in_order && out.settled.empty())
        return std::nullopt;
    std::vector<std::uint64_t> offsets;
    // In this order: if the process dies half-way, a gap without its settlement is a run too many
    // that is told to be missing; a settlement without its gap would be one too few.
    const auto segment = append([&](segment::Encoder& encoder) {
        offsets.clear();
        encoder.settled(out.skipped);
        for (const JournalEntry& entry : batch.entries)
            offsets.push_back(encoder.entry(view_of(entry)));
        encoder.gaps(batch.gaps);
        if (out.tells)
            encoder.told(damage.places);
        encoder.settled(out.settled);
        if (batch.in_order)
            encoder.in_order(*batch.in_order);
    });
    if (segment) {
        apply(batch, out, places_of(*segment, offsets));
        return std::nullopt;
    }
    const bool settles_only = batch.entries.empty() && batch.gaps.empty() && !batch.in_order;
    if (segment.error().reason != "disk_full" || !settles_only)
        return segment.error();
    contents.index.settle(out.settled);
    put_off = out.settled;
    return std::nullopt;
}

/// What was written becomes what is known.
void Journal::State::apply(const Batch& batch, const Outgoing& out, const Places& places)
{
    for (std::size_t i = 0; i < batch.entries.size(); ++i) {
        const auto entry = view_of(batch.entries[i]);
        contents.index.put(entry, places[i]);
        contents.next_sequence = std::max(contents.next_sequence, entry.sequence + 1);
        look_again(entry.timestamp_ms);
    }
    for (const Gap& gap : batch.gaps)
        contents.record(gap);
    contents.index.settle(out.settled);
    if (batch.in_order)
        contents.in_order = *batch.in_order;
    put_off = {};
    if (out.tells)
        damage = {};
}

/// @return the segment it went to. @param fill is called again when there was no room.
Result<std::uint32_t> Journal::State::append(const Fill& fill)
{
    const auto first = [this](segment::Encoder& encoder) { checkpoint(encoder); };
    auto prepared = log.prepare(first, fill);
    if (log.bytes() + prepared.bytes.size() > options.max_bytes)
        remove_settled();
    auto written = log.write(prepared);
    if (written.has_error() && written.error().reason == "disk_full" && remove_settled()) {
        prepared = log.prepare(first, fill);
        written = log.write(prepared);
    }
    if (written.has_error())
        return written.error();
    return prepared.segment;
}

void Journal::State::checkpoint(segment::Encoder& encoder) const
{
    segment::Checkpoint checkpoint;
    checkpoint.next_sequence = contents.next_sequence;
    checkpoint.last_runs = newest(contents.index.last_runs());
    checkpoint.gaps.assign(contents.gaps.begin(), contents.gaps.end());
    encoder.checkpoint(checkpoint);
    if (!contents.in_order.empty())
        encoder.in_order(contents.in_order);
}

/// @param bytes holds what the view shows.
Result<EntryView> Journal::State::read(
    std::uint64_t sequence, JournalIndex::Slot slot, std::string& bytes)
{
    const auto [number, offset] = slot.place;
    auto got = log.read(number, offset, entry_overhead + slot.metrics_bytes + slot.logs_bytes);
    if (!got)
        return got.error();
    const auto header = segment::parse_header(*got, number, offset);
    const auto size = header ? segment::record_header_bytes + header->length : 0;
    if (size > got->size())  // a half that is settled is still there
        got = log.read(number, offset, size);
    if (!got)
        return got.error();
    bytes = std::move(*got);
    if (header && size <= bytes.size()) {
        const auto content =
            std::string_view{bytes}.substr(segment::record_header_bytes, header->length);
        const auto entry = segment::parse_entry(content);
        if (segment::crc32c(content) == header->content_crc && entry && entry->sequence == sequence)
            return *entry;
    }
    return error("corrupted", "segment {} of the journal, byte {}", number, slot.place.offset);
}

Journal::Journal(std::unique_ptr<State> state) : state_{std::move(state)} {}
Journal::~Journal() = default;

Result<std::pair<std::unique_ptr<Journal>, Journal::Recovered>> Journal::open(
    const Options& options, std::int64_t now_ms)
{
    auto state = std::make_unique<State>(options);
    JournalReplay replay{state->contents};
    const auto opened = state->log.open(
        [&](std::uint32_t number, std::string_view bytes) { replay.segment(number, bytes); });
    if (opened.has_error())
        return opened.error();
    state->log.resume(replay.torn_bytes());
    state->damage = replay.finish(now_ms);
    auto known = recovered(state->contents, state->damage, replay.torn_bytes());
    return std::pair{std::unique_ptr<Journal>{new Journal{std::move(state)}}, std::move(known)};
}

Result<Journal::Recovered> Journal::inspect(const std::string& directory)
{
    const segment::SegmentFolder folder{directory};
    constexpr int attempts = 5;
    for (int attempt = 1;; ++attempt) {
        JournalContents contents;
        JournalReplay replay{contents};
        const auto unbroken = show_all(folder, replay);
        if (!unbroken)
            return unbroken.error();
        if (*unbroken || attempt == attempts)
            return recovered(contents, replay.finish(std::nullopt), replay.torn_bytes());
    }
}

Journal::Written Journal::write(const Batch& batch, std::int64_t now_ms)
{
    State& state = *state_;
    Written written;
    written.failed = state.take(batch);
    if (!written.failed) {
        state.remove_settled();
        const auto& files = state.log.files();
        if (!files.empty() && state.worth_cleaning(files.begin()->first) &&
            state.clean_first(written.dropped))
            state.remove_settled();
    }
    state.drop_too_old(now_ms, written.dropped);
    // Making room takes files away, and with them what was dropped just now: the next write() tells
    // of it first, unless that is more than the limit has room for.
    if (written.dropped.empty() || state.log.bytes() > state.options.max_bytes)
        state.make_room(written.dropped);
    return written;
}

void Journal::set_limits(std::size_t max_bytes, std::chrono::milliseconds max_age)
{
    State& state = *state_;
    state.options.max_bytes = max_bytes;
    state.options.max_age = max_age;
    state.options.segment_bytes = state.wanted_segment_bytes;
    state.options = fitted(state.options);
    state.log.set_segment_bytes(state.options.segment_bytes);
    state.next_look_ms = std::numeric_limits<std::int64_t>::min();
}

Result<wire::Block> Journal::read(std::uint64_t sequence, Type type)
{
    const auto& slots = state_->contents.index.slots();
    const auto slot = slots.find(sequence);
    if (slot == slots.end() || slot->second.bytes(type) == 0)
        return error("not_waiting", "{} {} of the journal", name_of(type), sequence);
    std::string bytes;
    const auto entry = state_->read(sequence, slot->second, bytes);
    if (!entry)
        return entry.error();
    const auto& block = entry->of(type);
    return wire::Block{std::string{block.body}, block.raw_size};
}

Result<> Journal::sync()
{
    return state_->log.sync();
}

std::size_t Journal::file_bytes() const
{
    return state_->log.bytes();
}

std::size_t Journal::segments() const
{
    return state_->log.files().size();
}

}  // namespace sonde::exporters
