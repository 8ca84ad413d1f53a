#pragma once

#include "agent/net/tls.h"

namespace sonde::net {

/// Judges what a peer presented by the rules of spec 02 §1.8.2 and notes all of it in `peer`.
/// For SSL_CTX_set_cert_verify_callback. @return 1: accepted.
int verify_peer(X509_STORE_CTX* presented, TlsPeer& peer);

/// Whether a subjectAltName of `leaf` stands for `name`; the subject is never looked at.
bool certificate_matches(X509* leaf, std::string_view name);

}  // namespace sonde::net
