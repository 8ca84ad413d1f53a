#include "exporters/segment_scanner.h"
#include "tests/unit/exporters/journal_fixture.h"

#include <doctest/doctest.h>

#include <set>

using namespace sonde::exporters;
namespace segment = sonde::exporters::segment;

namespace {

/// A journal that is broken on purpose.
struct BrokenJournal : JournalFixture {
    std::string last_content() { return sonde::tests::content_of(files().back()); }

    void replace(const std::string& path, const std::string& content)
    {
        scratch.write("journal/" + std::filesystem::path{path}.filename().string(), content);
    }

    /// Closes the journal, so that its files can be broken.
    void close() { journal.reset(); }

    void check_bodies(const std::vector<Waiting>& waiting)
    {
        for (const Waiting& half : waiting)
            CHECK(body(half.sequence, half.type) ==
                  block_of(half.sequence, half.type, half.bytes).body);
    }
};

std::uint64_t runs_of(const std::vector<Gap>& gaps)
{
    std::uint64_t runs = 0;
    for (const Gap& gap : gaps) {
        CHECK(gap.reason == GapReason::corrupted);
        CHECK(gap.from_ms <= gap.to_ms);
        runs += gap.runs;
    }
    return runs;
}

/// What stands where in a segment.
std::vector<segment::Piece> pieces_of(std::string_view bytes)
{
    std::vector<segment::Piece> pieces;
    segment::Scanner scanner{bytes, 1};
    while (const auto piece = scanner.next())
        pieces.push_back(*piece);
    return pieces;
}

/// The sequence number of the entry at `position`; 0: something else stands there.
std::uint64_t entry_at(const std::vector<segment::Piece>& pieces, std::size_t position)
{
    for (const auto& piece : pieces)
        if (position >= piece.offset && position < piece.offset + piece.bytes &&
            piece.type == segment::RecordType::entry)
            return segment::parse_entry(piece.content)->sequence;
    return 0;
}

}  // namespace

TEST_SUITE("exporters")
{
    TEST_CASE_FIXTURE(
        BrokenJournal, "a last write that was torn at any byte is as if it had not been")
    {
        open();
        write(entries_of(1, 2));
        const auto whole = last_content().size();
        write(entries_of(3, 3));
        close();
        const auto path = files().back();
        const auto content = last_content();
        for (auto size = whole; size < content.size(); ++size) {
            CAPTURE(size);
            replace(path, content.substr(0, size));
            const auto found = open();
            CHECK(found.torn_bytes == size - whole);
            CHECK(words_of(found.waiting) == "1m 1l 2m 2l");
            CHECK(found.next_sequence == 3);
            CHECK(found.found.empty());
            CHECK(last_content().size() == whole);
            write(entries_of(3, 3));
            const auto again = open();
            CHECK(words_of(again.waiting) == "1m 1l 2m 2l 3m 3l");
            CHECK(again.torn_bytes == 0);
            CHECK(again.found.empty());
            close();
        }
    }

    TEST_CASE_FIXTURE(
        BrokenJournal, "a first write that was torn at any byte leaves an empty journal")
    {
        open();
        write(entries_of(1, 1, 10, 10));
        close();
        const auto path = files().back();
        const auto content = last_content();
        const auto entry = pieces_of(content).back().offset;
        for (std::size_t size = 0; size <= entry; ++size) {
            CAPTURE(size);
            replace(path, content.substr(0, size));
            const auto found = open();
            CHECK(found.waiting.empty());
            CHECK(found.next_sequence == 1);
            CHECK(found.found.empty());
            write(entries_of(1, 1, 10, 10));
            CHECK(words_of(open().waiting) == "1m 1l");
            close();
            for (const auto& file : files())
                std::filesystem::remove(file);
        }
    }

    TEST_CASE_FIXTURE(BrokenJournal, "zeros at the end were never written")
    {
        open();
        write(entries_of(1, 2));
        close();
        replace(files().back(), last_content() + std::string(5000, '\0'));
        const auto found = open();
        CHECK(found.torn_bytes == 5000);
        CHECK(found.found.empty());
        CHECK(found.waiting.size() == 4);
    }

    TEST_CASE_FIXTURE(
        BrokenJournal, "any bit that flips costs the record it is in, and that is told")
    {
        open();
        write(entries_of(1, 4, 20, 12));
        Journal::Batch batch = settled_of(2, 2);
        batch.gaps.push_back(gap_of(40, 1, 2, 2, GapReason::overrun));
        write(batch);
        write(entries_of(5, 6, 20, 12));
        close();
        const auto path = files().back();
        const auto content = last_content();
        const auto pieces = pieces_of(content);
        const std::set<std::uint64_t> expected{1, 3, 4, 5, 6};
        for (std::size_t position = 0; position < content.size(); ++position) {
            CAPTURE(position);
            auto bytes = content;
            bytes[position] ^= static_cast<char>(1U << (position % 8));
            replace(path, bytes);
            const auto found = open(9'000);
            const auto hit = entry_at(pieces, position);
            CAPTURE(hit);
            std::set<std::uint64_t> waiting;
            for (const Waiting& half : found.waiting)
                waiting.insert(half.sequence);
            check_bodies(found.waiting);
            for (const auto sequence : expected)
                CHECK(waiting.contains(sequence) == (sequence != hit));
            // 2 is settled; if that was hit it waits again, and if its entry was, nothing is lost.
            CHECK(runs_of(found.found) >= (expected.contains(hit) ? 1U : 0U));
            CHECK(runs_of(found.found) <= 1);
            if (expected.contains(hit)) {
                REQUIRE(found.found.size() == 1);
                const auto number = static_cast<std::int64_t>(hit);
                if (hit > 1)  // before the first no time is known
                    CHECK(found.found[0].from_ms <= number * 1000);
                CHECK(found.found[0].to_ms >= number * 1000);
                CHECK(found.found[0].samples);
                CHECK(found.found[0].events);
            }
            CHECK(found.next_sequence == (hit == 6 ? 6 : 7));
            close();
        }
    }

    TEST_CASE_FIXTURE(BrokenJournal, "damage is told until it is recorded as a gap, then no more")
    {
        open();
        write(entries_of(1, 9));
        close();
        auto content = last_content();
        const auto pieces = pieces_of(content);
        content[pieces[3].offset] ^= 1;  // entry 3, after the checkpoint
        content[pieces[9].offset] ^= 1;  // and 9, the last
        replace(files().back(), content);
        for (int i = 0; i < 2; ++i) {
            const auto found = open(20'000);
            REQUIRE(found.found.size() == 2);
            CHECK(found.found[0].from_ms == 2000);
            CHECK(found.found[0].to_ms == 4000);
            CHECK(found.found[1].from_ms == 8000);
            CHECK(found.found[1].to_ms == 20'000);
            CHECK(found.next_sequence == 9);
        }
        Journal::Batch batch = entries_of(9, 10);
        write(batch);
        batch = {};
        batch.gaps = open(20'000).found;
        CHECK(runs_of(batch.gaps) == 2);
        write(batch);
        const auto after = open(20'000);
        CHECK(after.found.empty());
        CHECK(after.gaps.size() == 2);
        CHECK(after.waiting.size() == 18);
        check_bodies(after.waiting);
    }

    TEST_CASE_FIXTURE(
        BrokenJournal, "of a lost entry half of which had arrived the other half is missing")
    {
        open();
        write(entries_of(1, 6));
        Journal::Batch batch;
        batch.settled = {{2, Type::metrics}, {4, Type::logs}, {5, Type::logs}};
        write(batch);
        close();
        auto content = last_content();
        const auto pieces = pieces_of(content);
        for (const auto lost : {2, 4, 5})
            content[pieces[lost].offset + 20] ^= 1;
        replace(files().back(), content);
        const auto found = open().found;
        REQUIRE(found.size() == 2);
        CHECK(found[0].samples);
        CHECK_FALSE(found[0].events);
        CHECK(found[0].runs == 2);
        CHECK_FALSE(found[1].samples);
        CHECK(found[1].events);
        CHECK(found[1].runs == 1);
    }

    TEST_CASE_FIXTURE(
        BrokenJournal, "a segment that is gone, or nothing but noise, is told in runs")
    {
        options.segment_bytes = 4096;
        open();
        for (std::uint64_t at = 1; at <= 12; ++at)
            write(entries_of(at, at, 1500, 100));
        REQUIRE(files().size() == 4);  // of three entries each, and a fourth just begun
        close();
        const auto second = files()[1];
        const auto content = sonde::tests::content_of(second);
        for (const auto& bytes : {std::string{}, std::string(content.size(), 'x'),
                 std::string(content.size(), '\0'), content.substr(0, 10)}) {
            CAPTURE(bytes.size());
            replace(second, bytes);
            const auto found = open();
            CHECK(words_of(found.waiting).starts_with("1m 1l 2m 2l 3m 3l 7m"));
            CHECK(runs_of(found.found) == 3);
            CHECK(found.torn_bytes == 0);
            check_bodies(found.waiting);
            close();
        }
        std::filesystem::remove(second);
        const auto found = open();
        REQUIRE(found.found.size() == 1);
        CHECK(found.found[0].runs == 3);
        CHECK(found.found[0].from_ms == 3000);
        CHECK(found.found[0].to_ms == 7000);
        std::filesystem::remove(files()[0]);  // nobody can know what stood there
        CHECK(open().found.empty());
    }

    TEST_CASE_FIXTURE(BrokenJournal, "a write that could not be taken back is passed over")
    {
        options.segment_bytes = 4096;
        open();
        for (std::uint64_t at = 1; at <= 6; ++at)
            write(entries_of(at, at, 1500, 100));
        close();
        const auto first = files()[0];
        const auto content = sonde::tests::content_of(first);
        const auto pieces = pieces_of(content);
        replace(first, content + content.substr(0, 5));
        const auto found = open();
        CHECK(found.waiting.size() == 12);
        CHECK(found.found.empty());
        CHECK(found.torn_bytes == 0);
    }
}
