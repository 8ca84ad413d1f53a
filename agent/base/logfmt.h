#pragma once

#include <string>
#include <string_view>

namespace sonde::logfmt {

/// Appends `key=value`, with a space before it unless `line` is empty. Keys lose what logfmt cannot
/// carry; values are quoted only when they must be (spec 03 §5.4).
void append(std::string& line, std::string_view key, std::string_view value);

/// Shortest digits that read back the same; exponent form below 1e-4 and from 1e6 on (spec 03
/// §5.4).
std::string number(double value);

}  // namespace sonde::logfmt
