#pragma once

#include "checkers/address_metrics.h"
#include "checkers/metric.h"
#include "checkers/tls_facts.h"

namespace sonde::checkers::http::metrics {

inline constexpr Metric duration_seconds{"probe_http_duration_seconds",
    "Time of each phase, added up over all redirects, in seconds", "phase"};
inline constexpr Metric content_length{
    "probe_http_content_length", "Content-Length of the final response, in bytes; -1 unknown"};
inline constexpr Metric uncompressed_body_length{
    "probe_http_uncompressed_body_length", "Bytes of the body that were read, after decompression"};
inline constexpr Metric redirects{"probe_http_redirects", "Redirects met"};
inline constexpr Metric ssl{"probe_http_ssl", "1 when the final response came over TLS"};
inline constexpr Metric status_code{"probe_http_status_code", "Final status; 0 without a response"};
inline constexpr Metric http_version{"probe_http_version", "HTTP version of the final response"};
inline constexpr Metric failed_due_to_regex{
    "probe_failed_due_to_regex", "1 when a pattern of a header or of the body failed the run"};
inline constexpr Metric last_modified{"probe_http_last_modified_timestamp_seconds",
    "Last-Modified of the final response, in Unix seconds"};

inline constexpr Metric all[] = {checkers::metrics::dns_lookup_time_seconds,
    checkers::metrics::ip_protocol, checkers::metrics::ip_addr_hash, duration_seconds,
    content_length, uncompressed_body_length, redirects, ssl, status_code, http_version,
    failed_due_to_regex, last_modified, checkers::metrics::ssl_earliest_cert_expiry,
    checkers::metrics::ssl_last_chain_expiry_timestamp_seconds,
    checkers::metrics::ssl_last_chain_info, checkers::metrics::tls_version_info,
    checkers::metrics::tls_cipher_info};

}  // namespace sonde::checkers::http::metrics
