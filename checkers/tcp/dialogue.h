#pragma once

#include "checkers/expectations.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::checkers::tcp {

inline constexpr std::size_t longest_line = 65536;  // its LF included

/// Bytes of a connection cut into lines (spec 02 §5.4): a line ends at LF, one CR before it is no
/// part of it.
class LineBuffer {
public:
    void add(std::string_view bytes) { buffer_ += bytes; }

    /// The next complete line without its end; nullopt: more bytes are needed.
    std::optional<std::string> next();

    /// What is left at the end of the stream, if that is a line: not empty. A CR at its end goes,
    /// as the peers do it.
    std::optional<std::string> rest();

    bool too_long() const;  ///< the line now beginning has no end within the limit
    bool rest_too_long() const { return buffer_.size() > longest_line - 1; }
    std::size_t discard();  ///< drops what is buffered. @return how many bytes

private:
    std::string buffer_;
};

/// `$name`, `${name}` and `$$` replaced from what a pattern has captured, as Go's regexp.Expand
/// does it (spec 02 §5.4).
std::string expand(std::string_view text, const Pattern::Captures& captures);

}  // namespace sonde::checkers::tcp
