#pragma once

#include "checkers/metric.h"

namespace sonde::checkers::metrics {

// Common to all kinds: what choosing an address measures (spec 02 §1.5).
inline constexpr Metric dns_lookup_time_seconds{
    "probe_dns_lookup_time_seconds", "Time to resolve the host to probe, in seconds"};
inline constexpr Metric ip_protocol{
    "probe_ip_protocol", "IP version of the address used: 4 or 6; 0 when there is none"};
inline constexpr Metric ip_addr_hash{"probe_ip_addr_hash",
    "FNV-1a hash of the address used, to notice a change; 0 when there is none"};

}  // namespace sonde::checkers::metrics
