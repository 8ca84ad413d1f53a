#pragma once

#include "exporters/journal.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sonde::exporters {

/// A block that tells of which half it is.
inline wire::Block block_of(std::uint64_t sequence, Type type, std::size_t bytes)
{
    std::string body = std::to_string(sequence) + (type == Type::metrics ? "m" : "l");
    while (body.size() < bytes)
        body += static_cast<char>(body.size() * 131 + sequence * 7);
    body.resize(bytes);
    return {body, bytes * 3};
}

/// The run of check 1 to 7 that was due at second `sequence`, for tenant 1 or 2.
inline JournalEntry entry_of(
    std::uint64_t sequence, std::size_t metrics_bytes = 100, std::size_t logs_bytes = 50)
{
    JournalEntry entry;
    entry.sequence = sequence;
    const auto number = static_cast<std::int64_t>(sequence);
    entry.tenant = {number % 2 == 0 ? Origin::file : Origin::api, number % 2 + 1};
    entry.run_of = CheckKey{Origin::api, number % 7 + 1};
    entry.timestamp_ms = number * 1000;
    if (metrics_bytes > 0)
        entry.metrics = block_of(sequence, Type::metrics, metrics_bytes);
    if (logs_bytes > 0)
        entry.logs = block_of(sequence, Type::logs, logs_bytes);
    return entry;
}

inline Journal::Batch entries_of(std::uint64_t first, std::uint64_t last,
    std::size_t metrics_bytes = 100, std::size_t logs_bytes = 50)
{
    Journal::Batch batch;
    for (auto sequence = first; sequence <= last; ++sequence)
        batch.entries.push_back(entry_of(sequence, metrics_bytes, logs_bytes));
    return batch;
}

inline Journal::Batch settled_of(std::uint64_t first, std::uint64_t last)
{
    Journal::Batch batch;
    for (auto sequence = first; sequence <= last; ++sequence) {
        batch.settled.push_back({sequence, Type::metrics});
        batch.settled.push_back({sequence, Type::logs});
    }
    return batch;
}

inline Gap gap_of(std::int64_t check, std::int64_t from_ms, std::int64_t to_ms, std::uint64_t runs,
    GapReason reason)
{
    Gap gap;
    gap.check = CheckKey{Origin::api, check};
    gap.from_ms = from_ms;
    gap.to_ms = to_ms;
    gap.runs = runs;
    gap.reason = reason;
    return gap;
}

inline std::string word_of(std::uint64_t sequence, Type type)
{
    return std::to_string(sequence) + (type == Type::metrics ? "m" : "l");
}

/// "1m 1l 2m"
inline std::string words_of(const std::vector<Waiting>& waiting)
{
    std::string words;
    for (const Waiting& half : waiting)
        words += (words.empty() ? "" : " ") + word_of(half.sequence, half.type);
    return words;
}

inline std::string words_of(const std::vector<Journal::Dropped>& dropped)
{
    std::vector<Waiting> halves;
    for (const auto& [what, reason] : dropped)
        halves.push_back(what);
    return words_of(halves);
}

class JournalFixture {
public:
    JournalFixture() { options.directory = scratch.path("journal"); }

    /// Closes it if it is open, and opens it.
    Journal::Recovered open(std::int64_t now_ms = 0)
    {
        journal.reset();
        auto opened = Journal::open(options, now_ms);
        if (opened.has_error())
            FAIL(opened.error().message);
        journal = std::move(opened->first);
        return std::move(opened->second);
    }

    Journal::Written write(const Journal::Batch& batch, std::int64_t now_ms = 0)
    {
        auto written = journal->write(batch, now_ms);
        if (written.failed)
            FAIL(written.failed->message);
        return written;
    }

    std::string body(std::uint64_t sequence, Type type)
    {
        auto block = journal->read(sequence, type);
        return block ? block->body : std::string{block.error().reason};
    }

    /// The segment files, oldest first.
    std::vector<std::string> files() const
    {
        std::vector<std::string> paths;
        for (const auto& file : std::filesystem::directory_iterator{options.directory})
            if (file.path().filename() != "lock")
                paths.push_back(file.path().string());
        std::sort(paths.begin(), paths.end());
        return paths;
    }

    tests::ScratchFolder scratch;
    Journal::Options options;
    std::unique_ptr<Journal> journal;
};

}  // namespace sonde::exporters
