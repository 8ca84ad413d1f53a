#pragma once

#include "exporters/payload.h"
#include "exporters/wire.h"

#include <string>

namespace sonde::exporters {

/// A log stream as a field of `logproto.PushRequest` (spec 03 §5.1). Several such blocks one after
/// the other are one request.
wire::Block encode_stream(const LogStream& stream);

/// `{name="value",name="value"}`; backslash, quote and newline escaped (spec 03 §5.3).
std::string labels_text(const std::vector<Label>& labels);

}  // namespace sonde::exporters
