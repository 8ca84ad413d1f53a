#pragma once

#include "agent/base/error.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::text {

/// Standard alphabet with padding (RFC 4648 §4).
std::string base64(std::string_view bytes);
/// Strict but for CR and LF, which are skipped (spec 04 §1.5). @return Error "bad_base64".
Result<std::string> from_base64(std::string_view text);

std::string hex(std::string_view bytes);  ///< lower case
/// Length of the well-formed UTF-8 character that `bytes` begin with; 0 when there is none.
std::size_t character(std::string_view bytes);
bool is_utf8(std::string_view bytes);             ///< well-formed, no surrogates (RFC 3629)
std::string repair_utf8(std::string_view bytes);  ///< each ill-formed byte becomes U+FFFD
/// At most `limit` bytes, cut between characters, "..." included where something was cut.
std::string shorten(std::string_view bytes, std::size_t limit);

std::string lower(std::string_view text);      ///< ASCII only
std::string_view trim(std::string_view text);  ///< without blanks, tabs, CR, LF at both ends
std::vector<std::string_view> split(std::string_view text, char separator);
/// The word of `known` with the fewest edits from `word`; empty when none is near enough to
/// suggest.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace sonde::text
