#include "exporters/segment_scanner.h"

#include <algorithm>

namespace sonde::exporters::segment {

Scanner::Scanner(std::string_view bytes, std::uint32_t segment)
    : bytes_{bytes.substr(0, max_file_bytes)}, segment_{segment}
{
    // A damaged file header takes nothing along that anybody needs.
    if (version_of(bytes_) || header_at(file_header_bytes))
        offset_ = file_header_bytes;
}

std::optional<RecordHeader> Scanner::header_at(std::size_t offset) const
{
    return parse_header(bytes_.substr(std::min(offset, bytes_.size())), segment_, offset);
}

std::optional<Piece> Scanner::next()
{
    if (offset_ >= bytes_.size())
        return std::nullopt;
    const auto header = header_at(offset_);
    const Piece piece = header ? whole(*header) : lost();
    offset_ += piece.bytes;
    return piece;
}

Piece Scanner::whole(const RecordHeader& header) const
{
    Piece piece;
    piece.offset = offset_;
    const auto left = bytes_.substr(offset_ + record_header_bytes);
    if (header.length > left.size()) {
        piece.kind = Piece::Kind::torn;
        piece.bytes = bytes_.size() - offset_;
        return piece;
    }
    piece.type = header.type;
    piece.bytes = record_header_bytes + header.length;
    piece.content = left.substr(0, header.length);
    if (crc32c(piece.content) != header.content_crc) {
        piece.kind = Piece::Kind::damaged;
        piece.content = {};
    }
    return piece;
}

/// Up to the next record, or the end.
Piece Scanner::lost() const
{
    Piece piece;
    piece.offset = offset_;
    piece.bytes = bytes_.size() - offset_;
    piece.kind = Piece::Kind::torn;
    if (bytes_.size() < file_header_bytes || piece.bytes < record_header_bytes ||
        bytes_.find_first_not_of('\0', offset_) == std::string_view::npos)
        return piece;
    piece.kind = Piece::Kind::damaged;
    for (auto at = offset_ + 1; at + record_header_bytes <= bytes_.size(); ++at)
        if (header_at(at)) {
            piece.bytes = at - offset_;
            break;
        }
    return piece;
}

}  // namespace sonde::exporters::segment
