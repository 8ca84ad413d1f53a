#include "tests/unit/exporters/journal_fixture.h"

#include <doctest/doctest.h>

#include <map>
#include <random>

using namespace sonde::exporters;
using namespace std::chrono_literals;

namespace {

/// A journal and beside it what should be in it: random operations must find both alike.
struct Modelled : JournalFixture {
    using Half = std::pair<std::uint64_t, Type>;

    unsigned below(unsigned limit) { return static_cast<unsigned>(random() % limit); }

    void restart()
    {
        const auto found = open(now_ms);
        std::map<Half, std::size_t> waiting;
        for (const Waiting& half : found.waiting)
            CHECK(waiting.emplace(Half{half.sequence, half.type}, half.bytes).second);
        for (const auto& half : unflushed)  // what was dropped since the last write waits again
            if (waiting.contains(half.first))
                model.insert(half);
        unflushed.clear();
        CHECK((waiting == model));
        CHECK(found.next_sequence == next);
        CHECK((found.gaps == gaps));
        CHECK(found.found.empty());
        CHECK(found.torn_bytes == 0);
    }

    void add_entries(Journal::Batch& batch)
    {
        for (auto count = below(6); count > 0; --count) {
            auto entry = entry_of(next, below(3) == 0 ? 0 : 1 + below(900), below(500));
            entry.timestamp_ms = now_ms;
            batch.entries.push_back(entry);
            next += below(10) == 0 ? 2 : 1;  // one that is not written here
        }
        if (!batch.entries.empty())
            next = batch.entries.back().sequence + 1;
    }

    /// Mostly old things and in rows, as remotes take them.
    void add_settled(Journal::Batch& batch)
    {
        const bool all = below(8) == 0;
        auto skip = below(5) == 0 ? below(40) : below(3);
        auto count = all ? model.size() : below(14);
        for (const auto& [half, bytes] : model) {
            if (skip > 0 && skip-- > 0)
                continue;
            if (count-- == 0)
                break;
            batch.settled.push_back({half.first, half.second});
        }
    }

    void write_some()
    {
        Journal::Batch batch;
        add_entries(batch);
        if (below(2) == 0)
            add_settled(batch);
        if (below(20) == 0)
            batch.gaps.push_back(gap_of(below(9), 1, 2, 1, GapReason::refused));
        const auto written = write(batch, now_ms);
        if (!batch.empty())
            unflushed.clear();
        for (const auto& entry : batch.entries)
            for (const auto& [type, block] :
                {std::pair{Type::metrics, &entry.metrics}, std::pair{Type::logs, &entry.logs}})
                if (!block->body.empty())
                    model[{entry.sequence, type}] = block->body.size();
        for (const auto& [sequence, type] : batch.settled)
            model.erase({sequence, type});
        gaps.insert(gaps.end(), batch.gaps.begin(), batch.gaps.end());
        for (const auto& [what, reason] : written.dropped) {
            const auto at = model.find({what.sequence, what.type});
            REQUIRE(at != model.end());
            CHECK(at->second == what.bytes);
            unflushed.insert(*at);
            model.erase(at);
            ++drops[reason];
        }
        CHECK(journal->file_bytes() <= options.max_bytes);
    }

    void read_some()
    {
        if (model.empty())
            return;
        auto at = model.begin();
        std::advance(at, below(static_cast<unsigned>(model.size())));
        const auto& [half, bytes] = *at;
        const auto entry = block_of(half.first, half.second, bytes);
        const auto block = journal->read(half.first, half.second);
        REQUIRE(block.has_value());
        CHECK(block->body == entry.body);
        CHECK(block->raw_size == entry.raw_size);
    }

    std::mt19937_64 random;
    std::int64_t now_ms = 1'700'000'000'000;
    std::uint64_t next = 1;
    std::map<Half, std::size_t> model;
    std::map<Half, std::size_t> unflushed;
    std::vector<Gap> gaps;
    std::map<GapReason, int> drops;
};

}  // namespace

TEST_SUITE("exporters")
{
    TEST_CASE_FIXTURE(
        Modelled, "whatever happens to it, a journal holds what was put in and not taken out")
    {
        options.segment_bytes = 4096;
        options.max_bytes = 64 << 10;
        for (int seed = 1; seed <= 6; ++seed) {
            CAPTURE(seed);
            random.seed(static_cast<std::uint64_t>(seed));
            options.directory = scratch.path("journal" + std::to_string(seed));
            options.max_age = seed % 2 == 0 ? 3s : 60s;
            model.clear();
            gaps.clear();
            next = 1;
            restart();
            for (int step = 0; step < 400; ++step) {
                CAPTURE(step);
                now_ms += below(400);
                write_some();
                read_some();
                if (below(25) == 0)
                    restart();
                if (below(100) == 0)
                    CHECK_FALSE(journal->sync().has_error());
            }
        }
        CHECK(drops[GapReason::journal_full] > 0);
        CHECK(drops[GapReason::too_old] > 0);
        CHECK(drops[GapReason::corrupted] == 0);
    }
}
