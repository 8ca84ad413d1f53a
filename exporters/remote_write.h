#pragma once

#include "exporters/payload.h"
#include "exporters/wire.h"

namespace sonde::exporters {

/// The series of a payload as fields of `prometheus.WriteRequest` (remote write 1.0; spec 03 §4.3).
/// Several such blocks one after the other are one request.
wire::Block encode_series(const Payload& payload);

}  // namespace sonde::exporters
