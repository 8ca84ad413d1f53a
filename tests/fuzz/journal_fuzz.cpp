// What may stand in the segments of the journal: exporters/segment_format and journal_replay.
#include "exporters/journal_replay.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <string>

namespace {

using namespace sonde;
using namespace exporters;
namespace segment = exporters::segment;

/// Walks all pieces, which must be the file, one after the other.
void check_pieces(std::string_view bytes)
{
    segment::Scanner scanner{bytes, 1};
    std::size_t end = 0;
    bool first = true;
    while (const auto piece = scanner.next()) {
        if (std::exchange(first, false))
            fuzz::require(piece->offset == 0 || piece->offset == segment::file_header_bytes,
                "the first piece begins behind the header");
        else
            fuzz::require(piece->offset == end, "pieces leave nothing out");
        fuzz::require(piece->bytes > 0, "a piece is not empty");
        end = piece->offset + piece->bytes;
        fuzz::require(piece->kind != segment::Piece::Kind::torn || end == bytes.size(),
            "what is torn is the end");
    }
    fuzz::require(first || end == bytes.size(), "the last piece ends with the file");
}

/// What a journal makes of `bytes` as two segments.
void check_replay(std::string_view bytes, std::string_view more)
{
    JournalContents contents;
    JournalReplay replay{contents};
    replay.segment(1, bytes);
    replay.segment(2, more);
    fuzz::require(replay.torn_bytes() <= more.size(), "no more is torn than there is");
    const auto damage = replay.finish(std::nullopt);
    std::uint64_t last = 0;
    std::size_t blocks = 0;
    for (const Waiting& half : contents.index.waiting()) {
        fuzz::require(half.sequence >= last, "what waits is in order");
        fuzz::require(half.sequence < contents.next_sequence, "numbers are not given twice");
        last = half.sequence;
        blocks += half.bytes;
    }
    fuzz::require(blocks <= bytes.size() + more.size(), "no more waits than there is");
    for (const Gap& gap : damage.gaps) {
        fuzz::require(gap.runs > 0 && gap.from_ms <= gap.to_ms, "a gap is one");
        fuzz::require(gap.samples || gap.events, "a gap is of something");
    }
}

/// A segment with a record for each line of `text`: a digit for its type, then its content.
std::string framed(std::string_view text)
{
    segment::Encoder encoder{1, 0};
    encoder.file_header();
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.empty())
            encoder.record(
                static_cast<segment::RecordType>(1 + (line[0] - '0') % 7), line.substr(1));
    }
    return encoder.take();
}

/// Entries with blocks of `text`, one byte of which is then spoilt: the others must be found.
void check_spoilt(unsigned position, std::string_view text)
{
    segment::Encoder encoder{1, 0};
    encoder.file_header();
    encoder.checkpoint({1, {}, {}});
    std::uint64_t count = 0;
    for (; !text.empty() && count < 50; text.remove_prefix(std::min<std::size_t>(7, text.size())))
        encoder.entry({++count, {}, {}, 0, {text.substr(0, 7), 7}, {}});
    auto bytes = encoder.take();
    bytes[position % bytes.size()] ^= 0x10;
    JournalContents contents;
    JournalReplay replay{contents};
    replay.segment(1, bytes);
    const auto damage = replay.finish(std::nullopt);
    const auto waiting = contents.index.waiting().size();
    fuzz::require(waiting + 1 >= count, "damage costs the record it is in");
    fuzz::require(waiting == count || damage.gaps.size() == 1, "and is told");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const auto how = input.choice(3);
    if (how == 0) {
        check_pieces(input.rest());
        check_replay(input.rest(), input.rest());
    } else if (how == 1) {
        const auto bytes = framed(input.rest());
        check_pieces(bytes);
        check_replay(bytes, input.rest());
        check_replay(std::string_view{bytes}.substr(0, bytes.size() - bytes.size() / 3), bytes);
    } else {
        const auto high = input.choice(256);
        check_spoilt(high * 256 + input.choice(256), input.rest());
    }
    return 0;
}
