#include "agent/net/tls_verify.h"

#include "agent/base/host_port.h"
#include "agent/base/text.h"

#include <boost/asio/ip/address.hpp>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace sonde::net {
namespace {

constexpr int security_level = 1;  // RSA of 1024 bits passes, SHA-1 signatures do not
constexpr int deepest_chain = 8;
constexpr int most_signature_checks = 100;

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};
struct FreeUsage {
    void operator()(EXTENDED_KEY_USAGE* usage) const { EXTENDED_KEY_USAGE_free(usage); }
};
struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using Names = std::unique_ptr<GENERAL_NAMES, FreeNames>;
using Usage = std::unique_ptr<EXTENDED_KEY_USAGE, FreeUsage>;
using Stack = std::unique_ptr<STACK_OF(X509), FreeStack>;

std::string_view bytes_of(const ASN1_STRING* string)
{
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
        static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// `pattern` may have a wildcard as its complete left-most label, which stands for one label.
bool dns_name_matches(std::string_view pattern, std::string_view name)
{
    if (pattern.starts_with("*.")) {
        const auto dot = name.find('.');
        return dot != std::string_view::npos && dot > 0 &&
               text::lower(pattern.substr(1)) == text::lower(name.substr(dot));
    }
    return !pattern.empty() && text::lower(pattern) == text::lower(name);
}

bool allows_server_authentication(X509* leaf)
{
    const Usage usage{static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(leaf, NID_ext_key_usage, nullptr, nullptr))};
    if (!usage)
        return true;
    for (int i = 0; i < sk_ASN1_OBJECT_num(usage.get()); ++i) {
        const int purpose = OBJ_obj2nid(sk_ASN1_OBJECT_value(usage.get(), i));
        if (purpose == NID_server_auth || purpose == NID_anyExtendedKeyUsage)
            return true;
    }
    return false;
}

std::string_view cause_of(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "certificate_expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "certificate_not_yet_valid";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "certificate_untrusted";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "certificate_name";
    default:
        return "certificate_unsuitable";
    }
}

int refuse(X509_STORE_CTX* presented, TlsPeer& peer, int error, std::string message)
{
    X509_STORE_CTX_set_error(presented, error);
    peer.cause = cause_of(error);
    peer.message = std::move(message);
    return 0;
}

/// All chains from the leaf to an anchor: OpenSSL builds one, the metric wants the best of all.
class ChainSearch {
public:
    ChainSearch(X509_STORE_CTX* presented, const std::vector<Certificate>& sent)
        : presented_{presented}, sent_{sent}
    {}

    std::optional<std::time_t> latest_end()
    {
        follow(sent_.front().get(), not_after(sent_.front().get()));
        return latest_;
    }

private:
    void follow(X509* certificate, std::time_t ends)
    {
        if (is_anchor(certificate))
            latest_ = std::max(latest_.value_or(ends), ends);
        if (std::ssize(path_) >= deepest_chain)
            return;
        path_.push_back(certificate);
        const Stack anchors{
            X509_STORE_CTX_get1_certs(presented_, X509_get_issuer_name(certificate))};
        for (int i = 0; anchors && i < sk_X509_num(anchors.get()); ++i)
            step(certificate, sk_X509_value(anchors.get(), i), ends);
        for (const Certificate& next : sent_)
            step(certificate, next.get(), ends);
        path_.pop_back();
    }

    void step(X509* certificate, X509* issuer, std::time_t ends)
    {
        const auto same = [issuer](const X509* other) { return X509_cmp(other, issuer) == 0; };
        const std::time_t now = std::time(nullptr);
        if (std::any_of(path_.begin(), path_.end(), same) ||
            X509_check_issued(issuer, certificate) != X509_V_OK || not_after(issuer) < now ||
            not_before(issuer) > now || ++checks_ > most_signature_checks ||
            (!is_known_good(certificate, issuer) &&
                X509_verify(certificate, X509_get0_pubkey(issuer)) != 1))
            return;
        follow(issuer, std::min(ends, not_after(issuer)));
    }

    /// Whether OpenSSL has just checked this very signature: that costs as much as the rest.
    bool is_known_good(const X509* certificate, const X509* issuer) const
    {
        const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(presented_);
        for (int i = 0; chain && i + 1 < sk_X509_num(chain); ++i)
            if (X509_cmp(sk_X509_value(chain, i), certificate) == 0 &&
                X509_cmp(sk_X509_value(chain, i + 1), issuer) == 0)
                return true;
        return false;
    }

    bool is_anchor(X509* certificate)
    {
        const Stack named{
            X509_STORE_CTX_get1_certs(presented_, X509_get_subject_name(certificate))};
        for (int i = 0; named && i < sk_X509_num(named.get()); ++i)
            if (X509_cmp(sk_X509_value(named.get(), i), certificate) == 0)
                return true;
        return false;
    }

    X509_STORE_CTX* presented_;
    const std::vector<Certificate>& sent_;
    std::vector<X509*> path_;
    std::optional<std::time_t> latest_;
    int checks_ = 0;
};

void note_sent(X509_STORE_CTX* presented, TlsPeer& peer)
{
    peer.sent.clear();
    X509* const leaf = X509_STORE_CTX_get0_cert(presented);
    auto keep = [&](X509* certificate) {
        X509_up_ref(certificate);
        peer.sent.emplace_back(certificate);
    };
    if (leaf)
        keep(leaf);
    const STACK_OF(X509)* all = X509_STORE_CTX_get0_untrusted(presented);
    for (int i = 0; all && i < sk_X509_num(all); ++i)
        if (X509* const next = sk_X509_value(all, i); next != leaf)
            keep(next);
}

}  // namespace

bool certificate_matches(X509* leaf, std::string_view name)
{
    if (name.ends_with('.'))
        name.remove_suffix(1);
    std::string wanted_ip;
    if (is_ip_literal(name)) {
        const auto address = boost::asio::ip::make_address(std::string{name});
        if (address.is_v4())
            for (const auto byte : address.to_v4().to_bytes())
                wanted_ip += static_cast<char>(byte);
        else
            for (const auto byte : address.to_v6().to_bytes())
                wanted_ip += static_cast<char>(byte);
    }
    const Names names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* entry = sk_GENERAL_NAME_value(names.get(), i);
        if (wanted_ip.empty()
                ? entry->type == GEN_DNS && dns_name_matches(bytes_of(entry->d.dNSName), name)
                : entry->type == GEN_IPADD && bytes_of(entry->d.iPAddress) == wanted_ip)
            return true;
    }
    return false;
}

int verify_peer(X509_STORE_CTX* presented, TlsPeer& peer)
{
    note_sent(presented, peer);
    if (!peer.verify)
        return 1;
    X509_VERIFY_PARAM* const rules = X509_STORE_CTX_get0_param(presented);
    X509_VERIFY_PARAM_set_purpose(
        rules, X509_PURPOSE_ANY);  // OpenSSL's idea of a server is narrower
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
    X509_VERIFY_PARAM_set_auth_level(rules, security_level);
    if (X509_verify_cert(presented) != 1) {
        const int error = X509_STORE_CTX_get_error(presented);
        return refuse(presented, peer, error, X509_verify_cert_error_string(error));
    }
    X509* const leaf = X509_STORE_CTX_get0_cert(presented);
    if (!allows_server_authentication(leaf))
        return refuse(
            presented, peer, X509_V_ERR_INVALID_PURPOSE, "certificate is not for servers");
    if (!certificate_matches(leaf, peer.name))
        return refuse(presented, peer, X509_V_ERR_HOSTNAME_MISMATCH,
            fmt::format("certificate is not valid for {}", peer.name));
    peer.last_expiry = ChainSearch{presented, peer.sent}.latest_end();
    return 1;
}

}  // namespace sonde::net
