#pragma once

#include "agent/base/error.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <compare>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::net {

struct FreeX509 {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeX509>;

/// The CERTIFICATE blocks of a PEM text, in order; other text and unreadable blocks are skipped.
std::vector<Certificate> read_certificates(std::string_view pem);

/// When a certificate ends, in Unix seconds.
std::time_t not_after(const X509* certificate);
std::time_t not_before(const X509* certificate);

/// What a handshake is to use; PEM texts as in `TLSConfig` (spec 02 §1.8.1).
struct TlsSettings {
    bool insecure_skip_verify = false;
    std::string ca;           ///< replaces the system's trust store when not empty
    std::string certificate;  ///< chain, leaf first
    std::string key;

    auto operator<=>(const TlsSettings&) const = default;
};

/// What one handshake was asked for and what the peer presented; filled while it goes on, also when
/// it fails. Outlives the handshake.
struct TlsPeer {
    std::string name;  ///< asked for and verified: a DNS name (sent as SNI) or an IP literal

    bool verify = true;  ///< set by the context: whether the certificate is judged
    std::chrono::steady_clock::time_point handshake_began{};  ///< ClientHello was written
    std::chrono::steady_clock::time_point handshake_done{};
    int version = 0;                         ///< negotiated, as soon as a certificate was judged
    std::vector<Certificate> sent;           ///< in the peer's order, leaf first
    std::optional<std::time_t> last_expiry;  ///< latest end of all chains verified (spec 02 §1.8.4)
    std::string_view cause;    ///< why the certificate was refused: "certificate_expired", …
    std::string message;       ///< the same for people; empty: not refused
    std::optional<int> alert;  ///< number of an alert that the server sent
    bool asked_for_certificate = false;  ///< the server asked for one of ours
};

/// One set of settings, ready for any number of handshakes: TLS 1.2 to 1.3, the suites of spec 02
/// §1.8.2, verification by our rules. Immutable; loop thread only.
class TlsContext {
public:
    virtual ~TlsContext() = default;

    /// A connection of this context: SNI and name are set, facts go to `peer`.
    virtual std::unique_ptr<SSL, decltype(&SSL_free)> connection(TlsPeer& peer) const = 0;

    /// The same for a context that somebody else made (libcurl's, in CURLOPT_SSL_CTX_FUNCTION).
    virtual void apply(SSL_CTX* foreign, TlsPeer& peer) const = 0;
};

/// Makes contexts and keeps them while they are in use: one per distinct settings.
class TlsContexts {
public:
    /// @return Error "tls_config", cause "ca" or "client_pair".
    Result<std::shared_ptr<const TlsContext>> get(const TlsSettings& settings);

private:
    struct Kept {
        std::shared_ptr<const TlsContext> context;
        const void* system = nullptr;  // the system's trust store it was made with, if it was
        std::chrono::steady_clock::time_point used{};
    };
    std::map<TlsSettings, Kept> contexts_;
};

/// What a failed handshake means (spec 02 §1.10, code "tls"): looks at what `peer` has noted and at
/// OpenSSL's error queue, which it empties.
struct TlsFailure {
    std::string_view cause;  ///< empty: none fits
    std::string message;
    std::optional<int> alert;  ///< set with cause "alert"
};
TlsFailure tls_failure(const TlsPeer& peer);

/// "TLS 1.3"; "unknown" for what has no name.
std::string_view tls_version_name(int version);
/// IANA name of a suite: "TLS_AES_128_GCM_SHA256".
std::string tls_cipher_name(const SSL_CIPHER* cipher);

}  // namespace sonde::net
