#pragma once

#include "agent/net/tls.h"
#include "checkers/check.h"
#include "checkers/metric.h"

#include <string>

namespace sonde::checkers {

namespace metrics {

inline constexpr Metric ssl_earliest_cert_expiry{
    "probe_ssl_earliest_cert_expiry", "Earliest end of the certificates sent, in Unix seconds"};
inline constexpr Metric ssl_last_chain_expiry_timestamp_seconds{
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "Latest end of all verified chains, in Unix seconds"};
inline constexpr Metric ssl_last_chain_info{"probe_ssl_last_chain_info", "The leaf certificate; 1",
    "fingerprint_sha256,issuer,serialnumber,subject,subjectalternative"};
inline constexpr Metric tls_version_info{
    "probe_tls_version_info", "TLS version negotiated; 1", "version"};
inline constexpr Metric tls_cipher_info{
    "probe_tls_cipher_info", "Cipher suite negotiated; 1", "cipher"};

}  // namespace metrics

/// Sets the certificate series of spec 02 §1.8.4 from what a peer presented, and `run.certificate`;
/// earlier ones of this run are replaced. `cipher` is set for HTTP only; empty leaves it out.
void observe_peer(Run& run, const net::TlsPeer& peer, std::string_view version,
    std::string_view cipher, bool with_cipher_series);

/// Subject or issuer in the fixed order of spec 02 §1.8.4.
std::string distinguished_name(const X509_NAME* name);
std::string serial_number(const X509* certificate);

}  // namespace sonde::checkers
