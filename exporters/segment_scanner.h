#pragma once

#include "exporters/segment_format.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sonde::exporters::segment {

/// Some bytes of a segment: a record, or what is left of one or several.
struct Piece {
    enum class Kind : std::uint8_t {
        record,
        damaged,  ///< checksums do not fit; behind it may be more records
        torn,     ///< the end: a write that was not finished, or zeros that were never written
    };
    Kind kind = Kind::record;
    std::size_t offset = 0;
    std::size_t bytes = 0;           ///< with the header
    std::optional<RecordType> type;  ///< of a record; of a damaged one if its header is whole
    std::string_view content;        ///< of a record
};

/// Takes a segment apart; what is damaged is passed over. The cost is linear whatever the bytes.
class Scanner {
public:
    /// @param bytes the file from its beginning; must outlive the scanner and its pieces.
    Scanner(std::string_view bytes, std::uint32_t segment);

    /// nullopt: that was all.
    std::optional<Piece> next();

private:
    Piece whole(const RecordHeader& header) const;
    Piece lost() const;
    std::optional<RecordHeader> header_at(std::size_t offset) const;

    std::string_view bytes_;
    std::uint32_t segment_;
    std::size_t offset_ = 0;
};

}  // namespace sonde::exporters::segment
