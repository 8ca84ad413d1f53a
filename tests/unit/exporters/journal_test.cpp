#include "tests/unit/exporters/journal_fixture.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <limits>

using namespace sonde::exporters;
using namespace std::chrono_literals;

namespace {

/// A segment for every few entries.
struct SmallSegments : JournalFixture {
    SmallSegments()
    {
        options.segment_bytes = 4096;
        options.max_bytes = 1 << 20;
        open();
    }
};

unsigned mode_of(const std::string& path)
{
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
}

}  // namespace

TEST_SUITE("exporters")
{
    TEST_CASE_FIXTURE(JournalFixture, "what a journal has taken is there after it was opened again")
    {
        CHECK(open().waiting.empty());
        auto batch = entries_of(1, 3);
        batch.gaps.push_back(gap_of(5, 100, 9000, 3, GapReason::overrun));
        CHECK(write(batch).dropped.empty());
        const auto found = open();
        CHECK(found.next_sequence == 4);
        CHECK(words_of(found.waiting) == "1m 1l 2m 2l 3m 3l");
        CHECK((found.gaps == batch.gaps));
        CHECK(found.found.empty());
        CHECK(found.torn_bytes == 0);
        CHECK(found.last_runs.size() == 4);
        const Waiting& half = found.waiting[2];
        CHECK((half.tenant == TenantKey{Origin::file, 1}));
        CHECK((half.run_of == CheckKey{Origin::api, 3}));
        CHECK(half.timestamp_ms == 2000);
        CHECK(half.bytes == 100);
        for (const Waiting& each : found.waiting)
            CHECK(body(each.sequence, each.type) ==
                  block_of(each.sequence, each.type, each.bytes).body);
        CHECK(journal->read(2, Type::logs)->raw_size == 150);
        CHECK(body(4, Type::logs) == "not_waiting");
    }

    TEST_CASE_FIXTURE(JournalFixture, "a journal is its owner's alone")
    {
        open();
        write(entries_of(1, 1));
        CHECK(mode_of(options.directory) == 0700);
        REQUIRE(files().size() == 1);
        CHECK(mode_of(files()[0]) == 0600);
        CHECK(mode_of(options.directory + "/lock") == 0600);

        auto second = Journal::open(options, 0);
        REQUIRE(second.has_error());
        CHECK(second.error().reason == "journal_locked");
        CHECK(second.error().message.ends_with("by process " + std::to_string(::getpid())));
        const auto seen = Journal::inspect(options.directory);
        REQUIRE(seen.has_value());
        CHECK(words_of(seen->waiting) == "1m 1l");
        journal.reset();
        CHECK(Journal::open(options, 0).has_value());
        CHECK(Journal::inspect(options.directory + "/other").has_error());
    }

    TEST_CASE_FIXTURE(JournalFixture, "a directory that cannot be is an error that names it")
    {
        options.directory = scratch.write("file", "") + "/journal";
        const auto opened = Journal::open(options, 0);
        REQUIRE(opened.has_error());
        CHECK(opened.error().reason == "journal_io");
        CHECK(opened.error().message.find(scratch.path("file")) != std::string::npos);
    }

    TEST_CASE_FIXTURE(JournalFixture, "halves are settled each on its own")
    {
        open();
        auto batch = entries_of(1, 3);
        batch.entries[1].logs = {};
        batch.entries[2].metrics = {};
        write(batch);
        batch = {};
        batch.settled = {{1, Type::logs}, {2, Type::metrics}, {3, Type::metrics}, {9, Type::logs}};
        write(batch);
        CHECK(body(1, Type::logs) == "not_waiting");
        CHECK(words_of(open().waiting) == "1m 3l");
        CHECK(body(1, Type::metrics) == block_of(1, Type::metrics, 100).body);
        batch.settled = {{1, Type::metrics}, {3, Type::logs}};
        write(batch);
        const auto found = open();
        CHECK(found.waiting.empty());
        CHECK(found.next_sequence == 4);
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(
        JournalFixture, "an entry without blocks counts as a run; numbers may be left out")
    {
        open();
        write(entries_of(1, 1, 0, 0));
        write(entries_of(5, 5));
        write(entries_of(3, 3));  // what could not be written when it was its turn
        const auto found = open();
        CHECK(words_of(found.waiting) == "3m 3l 5m 5l");
        CHECK(found.next_sequence == 6);
        CHECK(found.last_runs.size() == 3);
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(JournalFixture, "an entry may be settled in the batch that brings it")
    {
        open();
        auto batch = entries_of(1, 2);
        batch.settled = {{1, Type::metrics}, {2, Type::logs}};
        write(batch);
        CHECK(body(1, Type::metrics) == "not_waiting");
        CHECK(words_of(open().waiting) == "1l 2m");
    }

    TEST_CASE_FIXTURE(JournalFixture, "the latest run of a check is known, from results and gaps")
    {
        open();
        write(entries_of(1, 8));  // the runs 1 and 8 are of check 2
        Journal::Batch batch;
        batch.gaps = {gap_of(2, 9000, 12'000, 4, GapReason::egress_down),
            gap_of(3, 1000, 1500, 1, GapReason::overrun)};
        write(batch);
        for (const LastRun& run : open().last_runs) {
            CAPTURE(run.check.id);
            const auto expected = run.check.id == 2   ? 12'000
                                  : run.check.id == 1 ? 7000
                                                      : (run.check.id - 1) * 1000;
            CHECK(run.due_ms == expected);
        }
    }

    TEST_CASE_FIXTURE(
        SmallSegments, "only the oldest segment goes, and nothing is forgotten with it")
    {
        Journal::Batch gap;
        gap.gaps.push_back(gap_of(33, 1, 2, 2, GapReason::refused));
        write(gap);
        for (std::uint64_t at = 1; at <= 20; ++at)
            write(entries_of(at, at, 1500, 500));
        const auto full = files();
        REQUIRE(full.size() > 5);
        write(settled_of(5, 20));
        CHECK(files().front() == full.front());  // 1 to 4 wait, that is more than half of it
        write(settled_of(1, 4));
        CHECK(files().size() == 1);
        const auto found = open();
        CHECK(found.waiting.empty());
        CHECK(found.next_sequence == 21);
        CHECK(found.last_runs.size() == 8);
        CHECK((found.gaps == gap.gaps));
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(SmallSegments, "of a segment in which little waits that is written again")
    {
        for (std::uint64_t at = 1; at <= 40; ++at)
            write(entries_of(at, at, 300, 200));
        const auto before = files();
        Journal::Batch batch = settled_of(2, 40);
        batch.settled.push_back({1, Type::logs});
        write(batch);
        const auto after = files();
        CHECK(after.front() > before.front());
        CHECK(body(1, Type::metrics) == block_of(1, Type::metrics, 300).body);
        CHECK(body(1, Type::logs) == "not_waiting");
        const auto found = open();
        CHECK(words_of(found.waiting) == "1m");
        CHECK(found.waiting[0].timestamp_ms == 1000);
        CHECK(found.next_sequence == 41);
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(SmallSegments, "an entry that stands in two segments is one")
    {
        for (std::uint64_t at = 1; at <= 40; ++at)
            write(entries_of(at, at, 300, 200));
        const auto oldest = files().front();
        const auto content = sonde::tests::content_of(oldest);
        write(settled_of(3, 40));
        REQUIRE(files().front() != oldest);
        journal.reset();
        scratch.write("journal/" + std::filesystem::path{oldest}.filename().string(), content);
        const auto found = open();
        CHECK(words_of(found.waiting) == "1m 1l 2m 2l");
        CHECK(found.found.empty());
        write({});
        CHECK(files().front() != oldest);
        CHECK(body(2, Type::metrics) == block_of(2, Type::metrics, 300).body);
    }

    TEST_CASE_FIXTURE(SmallSegments, "above the limit of bytes the oldest go, and are named")
    {
        options.max_bytes = 64 << 10;
        open();
        std::vector<Waiting> waiting;
        std::vector<Journal::Dropped> dropped;
        for (std::uint64_t at = 1; at <= 200; ++at) {
            auto written = write(entries_of(at, at, 900, 100));
            CHECK(journal->file_bytes() <= options.max_bytes);
            dropped.insert(dropped.end(), written.dropped.begin(), written.dropped.end());
        }
        REQUIRE(dropped.size() > 200);
        std::uint64_t next = 1;
        for (std::size_t i = 0; i < dropped.size(); i += 2) {
            CHECK(dropped[i].what.sequence == next++);
            CHECK(dropped[i].reason == GapReason::journal_full);
        }
        CHECK((dropped[0].what.run_of == CheckKey{Origin::api, 2}));
        write({});
        const auto found = open();
        CHECK(found.waiting.front().sequence == next);
        CHECK(found.waiting.size() + dropped.size() == 400);
        CHECK(found.waiting.size() > 80);  // most of the room is used
        CHECK(found.found.empty());
    }

    TEST_CASE_FIXTURE(SmallSegments, "below the limit by cleaning, nothing has to go")
    {
        options.max_bytes = 64 << 10;
        open();
        for (std::uint64_t at = 1; at <= 500; ++at) {
            auto batch = entries_of(at, at, 900, 100);
            if (at % 25 != 0)
                batch.settled = settled_of(at, at).settled;
            CHECK(write(batch).dropped.empty());
            CHECK(journal->file_bytes() <= options.max_bytes);
        }
        CHECK(open().waiting.size() == 40);
    }

    TEST_CASE_FIXTURE(SmallSegments, "what was dropped stays until a write can tell of it")
    {
        for (std::uint64_t at = 1; at <= 100; ++at)
            write(entries_of(at, at, 900, 100), 100'000);
        const auto first = files().front();
        const auto entries = std::filesystem::file_size(first) / 1000;
        REQUIRE(entries > 2);
        // Little is left in the first segment now, and all of them are more than they should be.
        journal->set_limits(journal->file_bytes() + 1, 100s);
        const auto now_ms = static_cast<std::int64_t>(100 + entries) * 1000;
        const auto dropped = write({}, now_ms).dropped;
        CHECK(dropped.size() == 2 * (entries - 1));
        CHECK(dropped.front().reason == GapReason::too_old);
        CHECK(files().front() == first);
        write({}, now_ms);
        CHECK(files().front() > first);
    }

    TEST_CASE_FIXTURE(SmallSegments, "limits can be others from now on")
    {
        for (std::uint64_t at = 1; at <= 300; ++at)
            write(entries_of(at, at, 900, 100), 300'000);
        journal->set_limits(64 << 10, 1000s);
        std::vector<Journal::Dropped> dropped = write({}, 300'000).dropped;
        REQUIRE(dropped.size() > 200);
        CHECK(dropped.front().reason == GapReason::journal_full);
        const auto first = dropped.back().what.sequence + 1;
        REQUIRE(first < 290);
        CHECK(write({}, 300'000).dropped.empty());
        CHECK(journal->file_bytes() <= 64 << 10);

        journal->set_limits(1 << 20, std::chrono::seconds{300 - first});
        CHECK(write({}, 300'000).dropped.empty());
        dropped = write({}, 301'000).dropped;
        REQUIRE(dropped.size() == 2);
        CHECK(dropped.front().what.sequence == first);
        CHECK(dropped.front().reason == GapReason::too_old);

        for (std::uint64_t at = 301; at <= 600; ++at)
            CHECK(write(entries_of(at, at, 900, 100), 301'000).dropped.empty());
        CHECK(journal->file_bytes() > 256 << 10);
    }

    TEST_CASE_FIXTURE(SmallSegments, "which ways go in order is known to the next life, for good")
    {
        const InOrder ways{{{{Origin::file, 1}, Type::metrics}, 7}};
        Journal::Batch batch;
        batch.in_order = ways;
        write(batch);
        for (std::uint64_t at = 1; at <= 50; ++at) {  // its segment goes
            write(entries_of(at, at, 900, 100));
            write(settled_of(at, at));
        }
        CHECK((open().in_order == ways));
        CHECK((Journal::inspect(options.directory)->in_order == ways));
        batch.in_order = InOrder{};
        write(batch);
        CHECK(open().in_order.empty());
        write(entries_of(51, 90, 900, 100));
        CHECK(open().in_order.empty());
    }

    TEST_CASE_FIXTURE(JournalFixture, "a batch beyond the limit is dropped at once")
    {
        options.max_bytes = 64 << 10;
        open();
        const auto written = write(entries_of(1, 3, 40'000, 0));
        CHECK(words_of(written.dropped) == "1m 2m 3m");
        write({});
        write(entries_of(4, 4));
        CHECK(journal->file_bytes() < options.max_bytes);
        CHECK(words_of(open().waiting) == "4m 4l");
    }

    TEST_CASE_FIXTURE(
        JournalFixture, "what was dropped is dropped again if the gap was not written")
    {
        options.max_age = 10s;
        open();
        write(entries_of(1, 2), 2000);
        const auto written = write({}, 11'500);
        CHECK(words_of(written.dropped) == "1m 1l");
        CHECK(written.dropped[0].reason == GapReason::too_old);
        CHECK(body(1, Type::logs) == "not_waiting");
        CHECK(words_of(open().waiting) == "1m 1l 2m 2l");
        CHECK(words_of(write({}, 11'500).dropped) == "1m 1l");
        Journal::Batch batch;
        batch.gaps.push_back(gap_of(2, 1000, 1000, 1, GapReason::too_old));
        CHECK(write(batch, 11'500).dropped.empty());
        CHECK(words_of(open().waiting) == "2m 2l");
    }

    TEST_CASE_FIXTURE(
        JournalFixture, "a clock that was put back or comes from the future ages nothing")
    {
        options.max_age = 10s;
        open();
        write(entries_of(100, 101), 101'000);
        CHECK(write({}, 50'000).dropped.empty());
        CHECK(write({}, std::numeric_limits<std::int64_t>::min()).dropped.empty());
        auto batch = entries_of(102, 105);
        batch.entries[0].timestamp_ms = std::numeric_limits<std::int64_t>::max();
        batch.entries[1].timestamp_ms = std::numeric_limits<std::int64_t>::min();
        CHECK(words_of(write(batch, 101'000).dropped) == "103m 103l");
        CHECK(write({}, 110'000).dropped.empty());
        CHECK(words_of(write({}, 110'500).dropped) == "100m 100l");
        CHECK(words_of(write({}, 120'000).dropped) == "101m 101l 104m 104l 105m 105l");
    }

    TEST_CASE_FIXTURE(JournalFixture, "of many gaps the newest are kept, over segments too")
    {
        options.segment_bytes = 4096;
        open();
        for (int i = 0; i < 12; ++i) {
            Journal::Batch batch;
            for (int j = 0; j < 100; ++j)
                batch.gaps.push_back(gap_of(i, i * 1000 + j, i * 1000 + j, 1, GapReason::refused));
            write(batch);
        }
        const auto found = open();
        REQUIRE(found.gaps.size() == 1000);
        CHECK(found.gaps.front().from_ms == 2000);
        CHECK(found.gaps.back().from_ms == 11'099);
        CHECK(found.last_runs.size() == 12);
        CHECK(files().size() == 1);
    }

    TEST_CASE_FIXTURE(JournalFixture, "a segment of a format to come is left alone")
    {
        open();
        journal.reset();
        // "SONDEJNL", version 2, the checksum of both
        scratch.write("journal/segment-0000000001",
            std::string{"SONDEJNL\x02\0\0\0", 12} + std::string{"\x0e\x25\xaa\xc8", 4});
        const auto opened = Journal::open(options, 0);
        REQUIRE(opened.has_error());
        CHECK(opened.error().reason == "journal_io");
        CHECK(opened.error().message.find("format 2") != std::string::npos);
    }

    TEST_CASE_FIXTURE(SmallSegments, "what is read is checked again")
    {
        for (std::uint64_t at = 1; at <= 10; ++at)
            write(entries_of(at, at, 1500, 500));
        const auto path = files().front();
        auto content = sonde::tests::content_of(path);
        const auto at = content.find(block_of(1, Type::metrics, 1500).body);
        REQUIRE(at != std::string::npos);
        content[at + 700] ^= 1;
        scratch.write("journal/" + std::filesystem::path{path}.filename().string(), content);
        CHECK(body(1, Type::metrics) == "corrupted");
        CHECK(body(2, Type::metrics) == block_of(2, Type::metrics, 1500).body);
        std::filesystem::remove(files()[1]);
        CHECK(body(4, Type::metrics) == "corrupted");
        CHECK_FALSE(journal->sync().has_error());
    }

    TEST_CASE_FIXTURE(SmallSegments, "what cannot be read when a segment is cleaned is told")
    {
        for (std::uint64_t at = 1; at <= 40; ++at)
            write(entries_of(at, at, 300, 200));
        const auto path = files().front();
        auto content = sonde::tests::content_of(path);
        content[content.find(block_of(1, Type::logs, 200).body)] ^= 1;
        scratch.write("journal/" + std::filesystem::path{path}.filename().string(), content);
        const auto written = write(settled_of(3, 40));
        CHECK(words_of(written.dropped) == "1m 1l");
        CHECK(written.dropped[0].reason == GapReason::corrupted);
        CHECK(body(2, Type::logs) == block_of(2, Type::logs, 200).body);
        CHECK(files().front() == path);  // until a gap can tell of it: another process finds it
        CHECK(Journal::inspect(options.directory)->found.size() > 0);
        write({});
        CHECK(files().front() > path);
        const auto found = open();
        CHECK(words_of(found.waiting) == "2m 2l");
        CHECK(found.found.empty());
    }
}
