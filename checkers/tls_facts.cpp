#include "checkers/tls_facts.h"

#include "agent/base/text.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

namespace sonde::checkers {
namespace {

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string utf8_of(const ASN1_STRING* value)
{
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, value);
    if (size < 0)
        return {};
    std::string out{reinterpret_cast<char*>(text), static_cast<std::size_t>(size)};
    OPENSSL_free(text);
    return out;
}

std::string escaped(const std::string& value)
{
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const bool at_edge = i == 0 || i + 1 == value.size();
        if (std::string_view{",+\"\\<>;"}.find(c) != std::string_view::npos ||
            (c == '#' && i == 0) || (c == ' ' && at_edge))
            out += '\\';
        out += c;
    }
    return out;
}

/// The value re-encoded in DER as text (spec 02 §1.8.4): PrintableString if it can be one.
std::string der_of(const std::string& value)
{
    const auto printable = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{" '()+,-./:=?"}.find(c) != std::string_view::npos;
    };
    std::string der;
    der += static_cast<char>(std::all_of(value.begin(), value.end(), printable) ? 0x13 : 0x0c);
    if (value.size() < 0x80) {
        der += static_cast<char>(value.size());
    } else if (value.size() < 0x100) {
        der += '\x81';
        der += static_cast<char>(value.size());
    } else {
        der += '\x82';
        der += static_cast<char>(value.size() >> 8U);
        der += static_cast<char>(value.size() & 0xffU);
    }
    return der + value;
}

std::string dotted_oid(const ASN1_OBJECT* object)
{
    std::array<char, 128> text{};
    const int size = OBJ_obj2txt(text.data(), text.size(), object, 1);
    return {text.data(), static_cast<std::size_t>(std::clamp(size, 0, 127))};
}

std::vector<std::string> dns_names(X509* certificate)
{
    std::vector<std::string> out;
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS)
            out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    }
    return out;
}

std::string fingerprint(X509* certificate)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    X509_digest(certificate, EVP_sha256(), digest.data(), &size);
    return text::hex({reinterpret_cast<const char*>(digest.data()), size});
}

std::string joined(const std::vector<std::string>& parts, char separator)
{
    std::string out;
    for (const std::string& part : parts) {
        if (!out.empty())
            out += separator;
        out += part;
    }
    return out;
}

}  // namespace

std::string distinguished_name(const X509_NAME* name)
{
    struct Known {
        int nid;
        std::string_view type;
        std::vector<std::string> values;
    };
    std::array<Known, 9> known{{{NID_serialNumber, "SERIALNUMBER", {}}, {NID_commonName, "CN", {}},
        {NID_organizationalUnitName, "OU", {}}, {NID_organizationName, "O", {}},
        {NID_postalCode, "POSTALCODE", {}}, {NID_streetAddress, "STREET", {}},
        {NID_localityName, "L", {}}, {NID_stateOrProvinceName, "ST", {}},
        {NID_countryName, "C", {}}}};
    std::vector<std::string> others;
    for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
        const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
        const std::string value = utf8_of(X509_NAME_ENTRY_get_data(entry));
        const int nid = OBJ_obj2nid(type);
        const auto row = std::find_if(
            known.begin(), known.end(), [nid](const Known& k) { return k.nid == nid; });
        if (row == known.end()) {
            others.push_back(dotted_oid(type) + "=#" + text::hex(der_of(value)));
            continue;
        }
        if (nid == NID_commonName || nid == NID_serialNumber)
            row->values.clear();  // only the last one is kept
        row->values.push_back(fmt::format("{}={}", row->type, escaped(value)));
    }
    std::vector<std::string> groups;
    for (const Known& row : known)
        if (!row.values.empty())
            groups.push_back(joined(row.values, '+'));
    groups.insert(groups.end(), others.rbegin(), others.rend());
    return joined(groups, ',');
}

std::string serial_number(const X509* certificate)
{
    BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
    std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
    BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
    BN_free(number);
    return text::hex(bytes);
}

void observe_peer(Run& run, const net::TlsPeer& peer, std::string_view version,
    std::string_view cipher, bool with_cipher_series)
{
    for (const Metric* metric :
        {&metrics::ssl_earliest_cert_expiry, &metrics::ssl_last_chain_expiry_timestamp_seconds,
            &metrics::ssl_last_chain_info, &metrics::tls_version_info, &metrics::tls_cipher_info})
        run.observed.clear(*metric);
    if (peer.sent.empty())
        return;
    X509* const leaf = peer.sent.front().get();
    std::time_t earliest = net::not_after(leaf);
    for (const net::Certificate& each : peer.sent)
        earliest = std::min(earliest, net::not_after(each.get()));
    CertificateSummary summary;
    summary.subject = distinguished_name(X509_get_subject_name(leaf));
    summary.issuer = distinguished_name(X509_get_issuer_name(leaf));
    summary.dns_names = dns_names(leaf);
    summary.serial_number = serial_number(leaf);
    summary.fingerprint_sha256 = fingerprint(leaf);
    summary.not_before = net::not_before(leaf);
    summary.not_after = net::not_after(leaf);
    summary.verified = peer.last_expiry.has_value();
    summary.tls_version = version;
    summary.cipher = cipher;

    run.observed.set(metrics::ssl_earliest_cert_expiry, static_cast<double>(earliest));
    if (peer.last_expiry)
        run.observed.set(metrics::ssl_last_chain_expiry_timestamp_seconds,
            static_cast<double>(*peer.last_expiry));
    run.observed.set(metrics::ssl_last_chain_info, 1,
        {summary.fingerprint_sha256, summary.issuer, summary.serial_number, summary.subject,
            joined(summary.dns_names, ',')});
    run.observed.set(metrics::tls_version_info, 1, {summary.tls_version});
    if (with_cipher_series && !cipher.empty())
        run.observed.set(metrics::tls_cipher_info, 1, {summary.cipher});
    run.certificate = std::move(summary);
}

}  // namespace sonde::checkers
