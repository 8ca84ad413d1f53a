#pragma once

#include "exporters/payload.h"

#include <string>

namespace sonde::exporters {

/// The series of a payload as fields of `prometheus.WriteRequest` (remote write 1.0; spec 03 §4.3).
/// Several such texts one after the other are one request.
std::string encode_series(const Payload& payload);

}  // namespace sonde::exporters
