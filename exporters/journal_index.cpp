#include "exporters/journal_index.h"

#include <algorithm>
#include <iterator>

namespace sonde::exporters {
namespace {

constexpr std::size_t gaps_kept = 1000;
constexpr std::uint32_t no_check = UINT32_MAX;
/// What a record takes besides its blocks, at most and nearly.
constexpr std::size_t record_overhead = 72;

}  // namespace

void JournalIndex::put(const segment::EntryView& entry, Place place)
{
    const bool newest = slots_.empty() || slots_.rbegin()->first < entry.sequence;
    if (!newest) {
        settle(entry.sequence, Type::metrics);
        settle(entry.sequence, Type::logs);
    }
    Slot slot;
    slot.timestamp_ms = entry.timestamp_ms;
    slot.place = place;
    slot.metrics_bytes = static_cast<std::uint32_t>(entry.metrics.body.size());
    slot.logs_bytes = static_cast<std::uint32_t>(entry.logs.body.size());
    slot.check = no_check;
    if (entry.run_of) {
        note_run(*entry.run_of, entry.timestamp_ms);
        slot.check = check_numbers_.at(*entry.run_of);
    }
    if (slot.metrics_bytes == 0 && slot.logs_bytes == 0)
        return;
    slot.tenant = number_of(entry.tenant);
    Load& load = loads_[place.segment];
    for (const Type type : {Type::metrics, Type::logs})
        if (slot.bytes(type) > 0) {
            ++load.halves;
            load.bytes += slot.bytes(type) + record_overhead;
        }
    slots_.emplace_hint(slots_.end(), entry.sequence, slot);
}

/// Takes a waiting half away.
void JournalIndex::lift(Slot& slot, Type type)
{
    auto& bytes = type == Type::metrics ? slot.metrics_bytes : slot.logs_bytes;
    const auto load = loads_.find(slot.place.segment);
    load->second.bytes -= bytes + record_overhead;
    if (--load->second.halves == 0)
        loads_.erase(load);
    bytes = 0;
}

void JournalIndex::settle(std::uint64_t first, std::uint64_t last, Type type)
{
    auto at = slots_.lower_bound(first);
    while (at != slots_.end() && at->first <= last) {
        Slot& slot = at->second;
        if (slot.bytes(type) > 0)
            lift(slot, type);
        at = slot.metrics_bytes == 0 && slot.logs_bytes == 0 ? slots_.erase(at) : std::next(at);
    }
}

void JournalIndex::settle(const HalfSet& halves)
{
    for (const Type type : {Type::metrics, Type::logs})
        for (const auto& [first, last] : halves.of(type).ranges())
            settle(first, last, type);
}

bool JournalIndex::waits(std::uint64_t sequence, Type type) const
{
    const auto at = slots_.find(sequence);
    return at != slots_.end() && at->second.bytes(type) > 0;
}

Waiting JournalIndex::describe(std::uint64_t sequence, const Slot& slot, Type type) const
{
    Waiting waiting;
    waiting.sequence = sequence;
    waiting.type = type;
    waiting.tenant = tenants_[slot.tenant];
    if (slot.check != no_check)
        waiting.run_of = last_runs_[slot.check].check;
    waiting.timestamp_ms = slot.timestamp_ms;
    waiting.bytes = slot.bytes(type);
    return waiting;
}

std::vector<Waiting> JournalIndex::waiting() const
{
    std::vector<Waiting> all;
    all.reserve(load().halves);
    for (const auto& [sequence, slot] : slots_)
        for (const Type type : {Type::metrics, Type::logs})
            if (slot.bytes(type) > 0)
                all.push_back(describe(sequence, slot, type));
    return all;
}

JournalIndex::Load JournalIndex::load(std::uint32_t segment) const
{
    const auto at = loads_.find(segment);
    return at == loads_.end() ? Load{} : at->second;
}

JournalIndex::Load JournalIndex::load() const
{
    Load all;
    for (const auto& [segment, load] : loads_) {
        all.halves += load.halves;
        all.bytes += load.bytes;
    }
    return all;
}

void JournalIndex::note_run(CheckKey check, std::int64_t due_ms)
{
    const auto next = static_cast<std::uint32_t>(last_runs_.size());
    const auto [at, fresh] = check_numbers_.emplace(check, next);
    if (fresh)
        last_runs_.push_back({check, due_ms});
    else
        last_runs_[at->second].due_ms = std::max(last_runs_[at->second].due_ms, due_ms);
}

std::uint32_t JournalIndex::number_of(TenantKey tenant)
{
    const auto next = static_cast<std::uint32_t>(tenants_.size());
    const auto [at, fresh] = tenant_numbers_.emplace(tenant, next);
    if (fresh)
        tenants_.push_back(tenant);
    return at->second;
}

void JournalContents::record(const Gap& gap)
{
    if (gap.check)
        index.note_run(*gap.check, gap.to_ms);
    gaps.push_back(gap);
    if (gaps.size() > gaps_kept)
        gaps.pop_front();
}

}  // namespace sonde::exporters
