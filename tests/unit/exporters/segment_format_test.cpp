#include "exporters/segment_scanner.h"
#include "tests/unit/exporters/journal_fixture.h"

#include <doctest/doctest.h>

#include <limits>

using namespace sonde::exporters;
namespace segment = sonde::exporters::segment;

namespace {

constexpr auto lowest = std::numeric_limits<std::int64_t>::min();
constexpr auto highest = std::numeric_limits<std::int64_t>::max();

std::string content_of(segment::Encoder& encoder)
{
    return encoder.bytes().substr(segment::record_header_bytes);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_of(const SequenceSet& set)
{
    return {set.ranges().begin(), set.ranges().end()};
}

/// A segment of three records with contents "one", "two", "three".
std::string three_records()
{
    segment::Encoder encoder{7, 0};
    encoder.file_header();
    for (const auto* content : {"one", "two", "three"})
        encoder.record(segment::RecordType::gaps, content);
    return encoder.take();
}

/// "record one", "damaged", "torn", …
std::vector<std::string> scanned(std::string_view bytes)
{
    std::vector<std::string> seen;
    segment::Scanner scanner{bytes, 7};
    while (const auto piece = scanner.next()) {
        using Kind = segment::Piece::Kind;
        const auto* kind = piece->kind == Kind::record    ? "record "
                           : piece->kind == Kind::damaged ? "damaged"
                                                          : "torn";
        seen.push_back(kind + std::string{piece->content});
    }
    return seen;
}

using Words = std::vector<std::string>;

}  // namespace

TEST_SUITE("exporters")
{
    TEST_CASE("the checksum is CRC-32C")
    {
        // RFC 3720 appendix B.4
        CHECK(segment::crc32c(std::string(32, '\0')) == 0x8a9136aa);
        CHECK(segment::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
        CHECK(segment::crc32c("123456789") == 0xe3069283);
        CHECK(segment::crc32c("6789", segment::crc32c("12345")) == 0xe3069283);
    }

    TEST_CASE("a set of sequence numbers keeps ranges")
    {
        SequenceSet set;
        set.insert(5, 5);
        set.insert(7, 9);
        CHECK(ranges_of(set) == ranges_of(set));
        set.insert(6, 6);
        CHECK(set.ranges().size() == 1);
        set.erase(6, 7);
        const std::vector<std::pair<std::uint64_t, std::uint64_t>> split{{5, 5}, {8, 9}};
        CHECK(ranges_of(set) == split);
        set.insert(1, sequence_end - 1);
        CHECK(set.ranges().size() == 1);
        set.erase(1, sequence_end - 1);
        CHECK(set.empty());
    }

    TEST_CASE("an entry reads as it was written")
    {
        for (const std::int64_t id : {std::int64_t{0}, std::int64_t{-1}, lowest, highest})
            for (const bool of_file : {false, true})
                for (const bool with_run : {false, true}) {
                    segment::EntryView entry;
                    entry.sequence = sequence_end - 1;
                    entry.tenant = {of_file ? Origin::file : Origin::api, id};
                    if (with_run)
                        entry.run_of = CheckKey{of_file ? Origin::api : Origin::file, id};
                    entry.timestamp_ms = id;
                    entry.metrics = {"samples", 4'000'000'000};
                    entry.logs = {"", 0};
                    segment::Encoder encoder{1, 0};
                    encoder.entry(entry);
                    const auto content = content_of(encoder);
                    const auto again = segment::parse_entry(content);
                    REQUIRE(again);
                    CHECK(again->sequence == entry.sequence);
                    CHECK((again->tenant == entry.tenant));
                    CHECK((again->run_of == entry.run_of));
                    CHECK(again->timestamp_ms == id);
                    CHECK(again->metrics.body == "samples");
                    CHECK(again->metrics.raw_size == 4'000'000'000);
                    CHECK(again->logs.body.empty());
                }
    }

    TEST_CASE("settlements, gaps and a checkpoint read as they were written")
    {
        HalfSet halves;
        halves.metrics.insert(1, 1);
        halves.metrics.insert(5, 900);
        halves.logs.insert(3, sequence_end - 1);
        segment::Encoder encoder{1, 0};
        encoder.settled(halves);
        HalfSet again;
        segment::Checkpoint checkpoint{77, {{{Origin::file, -3}, lowest}, {{Origin::api, 4}, 5}},
            {gap_of(9, lowest, highest, UINT64_MAX, GapReason::removed)}};
        checkpoint.gaps[0].samples = false;
        const std::string records = encoder.take();
        std::size_t at = 0;
        while (const auto header =
                   segment::parse_header(std::string_view{records}.substr(at), 1, at)) {
            at += segment::record_header_bytes;
            again.insert(segment::parse_settled(records.substr(at, header->length)).value());
            at += header->length;
        }
        CHECK(at == records.size());
        CHECK(ranges_of(again.metrics) == ranges_of(halves.metrics));
        CHECK(ranges_of(again.logs) == ranges_of(halves.logs));

        segment::Encoder second{1, 0};
        second.checkpoint(checkpoint);
        const auto known = segment::parse_checkpoint(content_of(second));
        REQUIRE(known);
        CHECK(known->next_sequence == 77);
        REQUIRE(known->last_runs.size() == 2);
        CHECK(known->last_runs[0].check.id == -3);
        CHECK(known->last_runs[0].due_ms == lowest);
        CHECK((known->gaps == checkpoint.gaps));

        const InOrder ways{{{{Origin::api, -1003}, Type::logs}, UINT32_MAX},
            {{{Origin::file, 1}, Type::metrics}, 0}};
        segment::Encoder third{1, 0};
        third.in_order(ways);
        CHECK((segment::parse_in_order(content_of(third)) == ways));
        CHECK((segment::parse_in_order("") == InOrder{}));
    }

    TEST_CASE("contents that no encoder makes are refused")
    {
        segment::Encoder encoder{1, 0};
        encoder.entry({3, {}, {}, 5, {"abc", 3}, {"de", 2}});
        const auto content = content_of(encoder);
        for (std::size_t size = 0; size < content.size(); ++size) {
            CAPTURE(size);
            CHECK_FALSE(segment::parse_entry(content.substr(0, size)));
        }
        CHECK_FALSE(segment::parse_entry(content + "x"));
        CHECK_FALSE(segment::parse_entry('\0' + content.substr(1)));  // sequence number 0
        CHECK_FALSE(segment::parse_settled(std::string_view{"\0\0\0", 3}));
        CHECK_FALSE(segment::parse_settled(std::string_view{"\2\1\0", 3}));
        CHECK_FALSE(segment::parse_gaps("\xff"));
        CHECK_FALSE(segment::parse_checkpoint("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"));
        CHECK_FALSE(segment::parse_told("\x01"));
        CHECK_FALSE(segment::parse_in_order(std::string_view{"\0\2\2\1", 4}));  // no type 2
        CHECK_FALSE(segment::parse_in_order(std::string_view{"\0\2\1", 3}));
    }

    TEST_CASE("a scanner passes over what is damaged and finds the next record")
    {
        const auto good = three_records();
        CHECK(scanned(good) == Words{"record one", "record two", "record three"});
        const std::size_t second = segment::file_header_bytes + segment::record_header_bytes + 3;
        auto bytes = good;
        bytes[second + segment::record_header_bytes] ^= 1;  // a content: its length is known
        CHECK(scanned(bytes) == Words{"record one", "damaged", "record three"});
        bytes = good;
        bytes[second] ^= 1;  // a length
        CHECK(scanned(bytes) == Words{"record one", "damaged", "record three"});
        bytes = good;
        bytes[3] ^= 1;  // the file's header
        CHECK(scanned(bytes) == Words{"record one", "record two", "record three"});
        CHECK(scanned(good + std::string(5, 'x')) ==
              Words{"record one", "record two", "record three", "torn"});
        CHECK(scanned(good + std::string(50, '\0')) ==
              Words{"record one", "record two", "record three", "torn"});
        CHECK(scanned(good + std::string(50, 'x')) ==
              Words{"record one", "record two", "record three", "damaged"});
        CHECK(
            scanned(good.substr(0, good.size() - 1)) == Words{"record one", "record two", "torn"});
        CHECK(scanned("") == Words{});
    }

    TEST_CASE("a record is one only at its place")
    {
        const auto good = three_records();
        segment::Scanner elsewhere{good, 8};
        const auto piece = elsewhere.next();
        REQUIRE(piece);
        CHECK(piece->kind == segment::Piece::Kind::damaged);

        segment::Encoder encoder{7, 0};
        encoder.file_header();
        encoder.record(segment::RecordType::gaps, good);  // records in a content
        auto bytes = encoder.take();
        bytes[segment::file_header_bytes] ^= 1;
        CHECK(scanned(bytes) == Words{"damaged"});
    }
}
