#pragma once

#include <zlib.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace sonde::tests {

/// @param window_bits as zlib reads them: 31 gzip, 15 zlib's own frame, -15 none.
inline std::string deflated(std::string_view content, int window_bits)
{
    z_stream stream{};
    deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int status = deflate(&stream, Z_FINISH);
    deflateEnd(&stream);
    if (status != Z_STREAM_END)
        throw std::logic_error{"zlib does not compress"};
    out.resize(stream.total_out);
    return out;
}

}  // namespace sonde::tests
