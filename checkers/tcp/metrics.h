#pragma once

#include "checkers/address_metrics.h"
#include "checkers/metric.h"
#include "checkers/tls_facts.h"

namespace sonde::checkers::tcp::metrics {

inline constexpr Metric failed_due_to_regex{"probe_failed_due_to_regex",
    "1 when the connection ended before an expected line came, else 0"};
inline constexpr Metric failed_due_to_bytes{
    "probe_failed_due_to_bytes", "0: checks have no byte-exact expectations"};
inline constexpr Metric duration_seconds{
    "probe_tcp_duration_seconds", "Time of each phase, in seconds (option tcp_phases)", "phase"};

inline constexpr Metric all[] = {checkers::metrics::dns_lookup_time_seconds,
    checkers::metrics::ip_protocol, checkers::metrics::ip_addr_hash, failed_due_to_regex,
    failed_due_to_bytes, duration_seconds, checkers::metrics::ssl_earliest_cert_expiry,
    checkers::metrics::ssl_last_chain_expiry_timestamp_seconds,
    checkers::metrics::ssl_last_chain_info, checkers::metrics::tls_version_info};

}  // namespace sonde::checkers::tcp::metrics
