#pragma once

#include "checkers/address_metrics.h"
#include "checkers/metric.h"

namespace sonde::checkers::ping::metrics {

inline constexpr Metric duration_seconds{"probe_icmp_duration_seconds",
    "Time of each phase, in seconds; rtt is the mean of the replies", "phase"};
inline constexpr Metric rtt_min{
    "probe_icmp_duration_rtt_min_seconds", "Shortest round trip, in seconds"};
inline constexpr Metric rtt_max{
    "probe_icmp_duration_rtt_max_seconds", "Longest round trip, in seconds"};
inline constexpr Metric rtt_stddev{
    "probe_icmp_duration_rtt_stddev_seconds", "Standard deviation of the round trips, in seconds"};
inline constexpr Metric packets_sent{"probe_icmp_packets_sent_count", "Echo requests sent"};
inline constexpr Metric packets_received{
    "probe_icmp_packets_received_count", "Requests that were answered"};
inline constexpr Metric reply_hop_limit{
    "probe_icmp_reply_hop_limit", "TTL or hop limit of the first reply by sequence"};

inline constexpr Metric all[] = {checkers::metrics::dns_lookup_time_seconds,
    checkers::metrics::ip_protocol, checkers::metrics::ip_addr_hash, duration_seconds, rtt_min,
    rtt_max, rtt_stddev, packets_sent, packets_received, reply_hop_limit};

}  // namespace sonde::checkers::ping::metrics
