#include "agent/net/tls.h"

#include "agent/base/host_port.h"
#include "agent/net/tls_verify.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace sonde::net {
namespace {

constexpr auto system_anchors = "/etc/ssl/certs/ca-certificates.crt";
// What the peers offer up to TLS 1.2 (spec 02 §1.8.2); level 1 admits RSA keys of 1024 bits.
constexpr auto suites = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"
                        "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:@SECLEVEL=1";

constexpr std::chrono::hours kept_unused{2};  // longer than the longest period of a check

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeStore {
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Store = std::shared_ptr<X509_STORE>;

Bio reader(std::string_view text)
{
    return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// Where a connection, or a context of somebody else's, keeps its TlsPeer.
int connection_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int context_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

TlsPeer* peer_of(const SSL* connection)
{
    if (void* const own = SSL_get_ex_data(connection, connection_index()))
        return static_cast<TlsPeer*>(own);
    return static_cast<TlsPeer*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), context_index()));
}

void set_name(SSL* connection, const TlsPeer& peer)
{
    std::string name = peer.name;
    if (name.ends_with('.'))
        name.pop_back();
    // Literals are not sent (RFC 6066 §3); null takes back what libcurl has set.
    SSL_set_tlsext_host_name(connection, is_ip_literal(name) ? nullptr : name.data());
}

constexpr std::chrono::steady_clock::time_point never{};

/// The peer's time begins when it is asked: making our key pair is no part of it.
void on_message(
    int is_ours, int, int type, const void* bytes, std::size_t size, SSL* connection, void*)
{
    if (is_ours == 0 || type != SSL3_RT_HANDSHAKE || size == 0 ||
        *static_cast<const unsigned char*>(bytes) != SSL3_MT_CLIENT_HELLO)
        return;
    if (TlsPeer* const peer = peer_of(connection); peer && peer->handshake_began == never)
        peer->handshake_began = std::chrono::steady_clock::now();
}

void on_progress(const SSL* connection, int where, int alert)
{
    TlsPeer* const peer = peer_of(connection);
    if (!peer)
        return;
    if ((where & SSL_CB_HANDSHAKE_START) != 0)
        set_name(const_cast<SSL*>(connection), *peer);
    // Comes again with the tickets of TLS 1.3: the first counts.
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0 && peer->handshake_done == never)
        peer->handshake_done = std::chrono::steady_clock::now();
    constexpr int close_notify = 0;
    if (where == SSL_CB_READ_ALERT && (alert & 0xff) != close_notify)
        peer->alert = alert & 0xff;
}

int on_verify(X509_STORE_CTX* presented, void*)
{
    const auto* connection = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(presented, SSL_get_ex_data_X509_STORE_CTX_idx()));
    TlsPeer* const peer = peer_of(connection);
    if (!peer)
        return 0;
    peer->version = SSL_version(connection);
    return verify_peer(presented, *peer);
}

int on_certificate_request(SSL* connection, void*)
{
    if (TlsPeer* const peer = peer_of(connection))
        peer->asked_for_certificate = true;
    return 1;  // go on with what the context has
}

class Context final : public TlsContext {
public:
    Context(bool insecure, Store store, std::vector<Certificate> chain, Key key)
        : insecure_{insecure}, store_{std::move(store)}, chain_{std::move(chain)},
          key_{std::move(key)}, context_{SSL_CTX_new(TLS_client_method())}
    {
        set_up(context_.get());
        SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
    }

    std::unique_ptr<SSL, decltype(&SSL_free)> connection(TlsPeer& peer) const override
    {
        std::unique_ptr<SSL, decltype(&SSL_free)> made{SSL_new(context_.get()), &SSL_free};
        peer.verify = !insecure_;
        SSL_set_ex_data(made.get(), connection_index(), &peer);
        SSL_set_connect_state(made.get());
        return made;
    }

    void apply(SSL_CTX* foreign, TlsPeer& peer) const override
    {
        set_up(foreign);
        peer.verify = !insecure_;
        SSL_CTX_set_ex_data(foreign, context_index(), &peer);
    }

private:
    void set_up(SSL_CTX* context) const
    {
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
        SSL_CTX_set_cipher_list(context, suites);
        SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set1_cert_store(context, store_.get());
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        SSL_CTX_set_cert_verify_callback(context, on_verify, nullptr);
        SSL_CTX_set_info_callback(context, on_progress);
        SSL_CTX_set_msg_callback(context, on_message);
        SSL_CTX_set_cert_cb(context, on_certificate_request, nullptr);
        if (chain_.empty())
            return;
        SSL_CTX_use_certificate(context, chain_.front().get());
        SSL_CTX_use_PrivateKey(context, key_.get());
        for (auto next = chain_.begin() + 1; next != chain_.end(); ++next)
            SSL_CTX_add1_chain_cert(context, next->get());
    }

    bool insecure_;
    Store store_;
    std::vector<Certificate> chain_;
    Key key_;
    std::unique_ptr<SSL_CTX, FreeContext> context_;
};

Result<Store> store_of(std::string_view anchors_pem)
{
    const auto anchors = read_certificates(anchors_pem);
    if (anchors.empty())
        return Error{"tls_config", "caCert holds no usable certificate", "ca"};
    Store store{X509_STORE_new(), FreeStore{}};
    for (const Certificate& anchor : anchors)
        X509_STORE_add_cert(store.get(), anchor.get());
    return store;
}

/// The system's trust store: loading it takes long, so it is kept until the file changes, which is
/// looked for once a second.
Store system_store()
{
    static Store kept;
    static std::filesystem::file_time_type kept_since;
    static std::chrono::steady_clock::time_point looked{};
    const auto now = std::chrono::steady_clock::now();
    if (kept && now - looked < std::chrono::seconds{1})
        return kept;
    looked = now;
    std::error_code missing;
    const auto changed = std::filesystem::last_write_time(system_anchors, missing);
    if (!kept || (!missing && changed != kept_since)) {
        kept.reset(X509_STORE_new(), FreeStore{});
        X509_STORE_load_file(kept.get(), system_anchors);  // without it nothing verifies: said then
        ERR_clear_error();
        kept_since = changed;
    }
    return kept;
}

int no_password(char*, int, int, void*)
{
    return -1;
}

Result<std::pair<std::vector<Certificate>, Key>> client_pair(const TlsSettings& settings)
{
    if (settings.certificate.empty() != settings.key.empty())
        return Error{
            "tls_config", "clientCert and clientKey go together: one is missing", "client_pair"};
    std::pair<std::vector<Certificate>, Key> pair{read_certificates(settings.certificate), nullptr};
    if (settings.certificate.empty())
        return pair;
    if (pair.first.empty())
        return Error{"tls_config", "clientCert holds no usable certificate", "client_pair"};
    pair.second.reset(
        PEM_read_bio_PrivateKey(reader(settings.key).get(), nullptr, no_password, nullptr));
    const bool match =
        pair.second && X509_check_private_key(pair.first.front().get(), pair.second.get()) == 1;
    ERR_clear_error();
    if (!pair.second)
        return Error{"tls_config", "clientKey holds no usable private key", "client_pair"};
    if (!match)
        return Error{"tls_config", "clientKey is not the key of clientCert", "client_pair"};
    return pair;
}

std::time_t to_unix(const ASN1_TIME* time)
{
    std::tm utc{};
    return ASN1_TIME_to_tm(time, &utc) == 1 ? timegm(&utc) : 0;
}

}  // namespace

std::vector<Certificate> read_certificates(std::string_view pem)
{
    std::vector<Certificate> found;
    const Bio text = reader(pem);
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    while (PEM_read_bio(text.get(), &name, &header, &data, &size) == 1) {
        const unsigned char* der = data;
        if (std::string_view{name} == PEM_STRING_X509)
            if (Certificate certificate{d2i_X509(nullptr, &der, size)})
                found.push_back(std::move(certificate));
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    ERR_clear_error();
    return found;
}

std::time_t not_after(const X509* certificate)
{
    return to_unix(X509_get0_notAfter(certificate));
}

std::time_t not_before(const X509* certificate)
{
    return to_unix(X509_get0_notBefore(certificate));
}

Result<std::shared_ptr<const TlsContext>> TlsContexts::get(const TlsSettings& settings)
{
    const Store system = settings.ca.empty() ? system_store() : nullptr;
    auto& kept = contexts_[settings];
    const auto now = std::chrono::steady_clock::now();
    kept.used = now;
    if (kept.context && kept.system == system.get())
        return kept.context;
    auto pair = client_pair(settings);
    if (!pair)
        return pair.error();
    Store store = system;
    if (!store) {
        auto own = store_of(settings.ca);
        if (!own)
            return own.error();
        store = *own;
    }
    const auto context = std::make_shared<const Context>(
        settings.insecure_skip_verify, store, std::move(pair->first), std::move(pair->second));
    kept = {context, system.get(), now};
    std::erase_if(
        contexts_, [now](const auto& entry) { return now - entry.second.used > kept_unused; });
    return std::shared_ptr<const TlsContext>{context};
}

TlsFailure tls_failure(const TlsPeer& peer)
{
    TlsFailure failure;
    unsigned long code = 0;
    while (const unsigned long next = ERR_get_error())
        code = code == 0 ? next : code;
    if (!peer.cause.empty())
        return {peer.cause, peer.message, std::nullopt};
    if (const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr)
        failure.message = text;
    if (peer.alert) {
        constexpr std::array of_client_certificate{40, 42, 43, 44, 45, 46, 48, 116};
        const bool about_ours =
            peer.asked_for_certificate &&
            std::find(of_client_certificate.begin(), of_client_certificate.end(), *peer.alert) !=
                of_client_certificate.end();
        failure.cause = about_ours          ? "client_certificate"
                        : *peer.alert == 70 ? "protocol_version"
                                            : "alert";
        if (failure.cause == "alert")
            failure.alert = peer.alert;
        if (failure.message.empty())
            failure.message = SSL_alert_desc_string_long(*peer.alert);
        return failure;
    }
    if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return failure;
    const int reason = ERR_GET_REASON(code);
    if (reason == SSL_R_UNSUPPORTED_PROTOCOL)
        failure.cause = "protocol_version";
    else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
             reason == SSL_R_PACKET_LENGTH_TOO_LONG)
        failure.cause = "not_tls";
    return failure;
}

std::string_view tls_version_name(int version)
{
    switch (version) {
    case TLS1_VERSION:
        return "TLS 1.0";
    case TLS1_1_VERSION:
        return "TLS 1.1";
    case TLS1_2_VERSION:
        return "TLS 1.2";
    case TLS1_3_VERSION:
        return "TLS 1.3";
    default:
        return "unknown";
    }
}

std::string tls_cipher_name(const SSL_CIPHER* cipher)
{
    if (!cipher)
        return {};
    if (const char* name = SSL_CIPHER_standard_name(cipher); name && *name)
        return name;
    return fmt::format("0x{:04X}", SSL_CIPHER_get_protocol_id(cipher));
}

}  // namespace sonde::net
