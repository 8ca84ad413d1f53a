#pragma once

#include "exporters/gap.h"
#include "exporters/journal.h"
#include "exporters/journal_sequences.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The bytes of a segment file of the journal. No I/O.
///
/// A file header, then records. Every number is little-endian; inside contents numbers are varints
/// (protobuf's), signed ones zigzag.
///
///     file header     "SONDEJNL"  version u32  CRC of both u32
///     record header   length u32  CRC of the content u32  type u8
///                     CRC of these nine bytes and of the place (segment u32, offset u64) u32
///     content         as long as the header says
///
/// The header has a checksum of its own, so that damage to a content leaves it known how far it
/// reaches; and one that depends on the place, so that nothing inside a content can pass for a
/// record when a reader looks for the next one.
namespace sonde::exporters::segment {

inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t file_header_bytes = 16;
inline constexpr std::size_t record_header_bytes = 13;
inline constexpr std::size_t max_content_bytes = 64 << 20;
/// What is beyond this in a file is not looked at: we write no such files.
inline constexpr std::size_t max_file_bytes = 256 << 20;

enum class RecordType : std::uint8_t {
    checkpoint = 1,  ///< first in a segment: what the segments before it knew besides entries
    entry = 2,
    moved = 3,    ///< what still waited of an entry when the segment it stood in was cleaned
    settled = 4,  ///< halves that have arrived or will never be sent
    gaps = 5,
    told = 6,      ///< damaged places that are recorded as gaps
    in_order = 7,  ///< ways out that send in order: all of them, and again after each checkpoint
};

/// CRC-32C (RFC 3720 §12.1) of `bytes`, going on from that of what stands before them.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

struct BlockView {
    std::string_view body;
    std::size_t raw_size = 0;
};

/// An entry whose blocks stand elsewhere.
struct EntryView {
    std::uint64_t sequence = 0;
    TenantKey tenant;
    std::optional<CheckKey> run_of;
    std::int64_t timestamp_ms = 0;
    BlockView metrics;  ///< empty body: none
    BlockView logs;

    const BlockView& of(Type type) const { return type == Type::metrics ? metrics : logs; }
};

struct Checkpoint {
    std::uint64_t next_sequence = 1;
    std::vector<LastRun> last_runs;
    std::vector<Gap> gaps;
};

struct DamagedPlace {
    std::uint32_t segment = 0;
    std::uint64_t offset = 0;

    auto operator<=>(const DamagedPlace&) const = default;
};

/// Makes the bytes that are to be appended to `segment` at `offset`.
class Encoder {
public:
    Encoder(std::uint32_t segment, std::uint64_t offset) : segment_{segment}, offset_{offset} {}

    void file_header();
    void checkpoint(const Checkpoint& checkpoint);
    /// @return where in the segment the record begins.
    std::uint64_t entry(const EntryView& entry, RecordType type = RecordType::entry);
    void settled(const HalfSet& halves);
    void gaps(std::span<const Gap> gaps);
    void told(std::span<const DamagedPlace> places);
    void in_order(const InOrder& ways);
    /// A record of any content.
    void record(RecordType type, std::string_view content);

    const std::string& bytes() const { return bytes_; }
    std::string take() { return std::move(bytes_); }
    bool fits() const { return fits_; }  ///< false: a content was longer than max_content_bytes

private:
    std::size_t begin();
    void end(std::size_t begun, RecordType type);

    std::uint32_t segment_;
    std::uint64_t offset_;
    std::string bytes_;
    bool fits_ = true;
};

// What contents say. nullopt: not what an Encoder makes.
std::optional<EntryView> parse_entry(std::string_view content);
std::optional<Checkpoint> parse_checkpoint(std::string_view content);
std::optional<HalfSet> parse_settled(std::string_view content);
std::optional<std::vector<Gap>> parse_gaps(std::string_view content);
std::optional<std::vector<DamagedPlace>> parse_told(std::string_view content);
std::optional<InOrder> parse_in_order(std::string_view content);

/// A record header that belongs where it stands.
struct RecordHeader {
    RecordType type = RecordType::entry;
    std::size_t length = 0;
    std::uint32_t content_crc = 0;
};
/// @param bytes what stands at `offset` of `segment`, and more.
std::optional<RecordHeader> parse_header(
    std::string_view bytes, std::uint32_t segment, std::uint64_t offset);

/// The version in a file header; nullopt when there is none, or a damaged one.
std::optional<std::uint32_t> version_of(std::string_view file);

}  // namespace sonde::exporters::segment
