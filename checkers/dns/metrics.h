#pragma once

#include "checkers/address_metrics.h"
#include "checkers/metric.h"

namespace sonde::checkers::dns::metrics {

inline constexpr Metric duration_seconds{
    "probe_dns_duration_seconds", "Time of each phase, in seconds", "phase"};
inline constexpr Metric answer_rrs{"probe_dns_answer_rrs", "Records in the answer section"};
inline constexpr Metric authority_rrs{
    "probe_dns_authority_rrs", "Records in the authority section"};
inline constexpr Metric additional_rrs{
    "probe_dns_additional_rrs", "Records in the additional section"};
inline constexpr Metric query_succeeded{
    "probe_dns_query_succeeded", "1 when a response was accepted, whatever it says"};
inline constexpr Metric serial{"probe_dns_serial", "Serial of the zone, of SOA checks"};
inline constexpr Metric reply_truncated{
    "probe_dns_reply_truncated", "1 when the response was cut short (TC)"};

inline constexpr Metric all[] = {checkers::metrics::dns_lookup_time_seconds,
    checkers::metrics::ip_protocol, checkers::metrics::ip_addr_hash, duration_seconds, answer_rrs,
    authority_rrs, additional_rrs, query_succeeded, serial, reply_truncated};

}  // namespace sonde::checkers::dns::metrics
