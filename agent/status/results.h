#pragma once

#include "exporters/payload.h"

#include <span>
#include <string>

namespace sonde::status {

/// The last results of checks in Prometheus' text format, to be scraped: samples of one name
/// together, of no type, without a time. Of a series that comes twice the first counts.
std::string render_results(std::span<const exporters::Payload> results);

}  // namespace sonde::status
