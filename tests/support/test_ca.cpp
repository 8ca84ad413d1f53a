#include "tests/support/test_ca.h"

#include <boost/asio/ip/address.hpp>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdexcept>
#include <utility>

namespace sonde::tests {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;

/// Throws unless OpenSSL did what was asked.
void must(bool done, const char* what)
{
    if (!done)
        throw std::runtime_error{std::string{"test certificate: "} + what};
}

Key made(EVP_PKEY* key)
{
    must(key != nullptr, "no key");
    return {key, EVP_PKEY_free};
}

Key new_key(LeafOptions::Key kind)
{
    switch (kind) {
    case LeafOptions::Key::rsa_1024:
        return made(EVP_RSA_gen(1024));
    case LeafOptions::Key::rsa_2048:
        return made(EVP_RSA_gen(2048));
    case LeafOptions::Key::ec:
        break;
    }
    return made(EVP_EC_gen("P-256"));
}

template <class Write>
std::string pem(Write write)
{
    const std::unique_ptr<BIO, decltype(&BIO_free)> out{BIO_new(BIO_s_mem()), BIO_free};
    must(write(out.get()) == 1, "not written");
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate)
{
    return pem([certificate](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

std::string pem_of(EVP_PKEY* key)
{
    return pem([key](BIO* out) {
        return PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

/// A certificate with everything but extensions and signature.
Certificate draft(const std::string& common_name, EVP_PKEY* key, Validity valid)
{
    static std::uint64_t last_serial = 0x5eed0000;
    const Certificate certificate{X509_new(), X509_free};
    X509* const x509 = certificate.get();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), ++last_serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), valid.begins.count());
    X509_gmtime_adj(X509_getm_notAfter(x509), valid.ends.count());
    const auto* const text = reinterpret_cast<const unsigned char*>(common_name.c_str());
    must(X509_NAME_add_entry_by_txt(
             X509_get_subject_name(x509), "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1,
        "bad name");
    must(X509_set_pubkey(x509, key) == 1, "bad key");
    return certificate;
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension{
        X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free};
    must(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key, bool sha1 = false)
{
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    extend(certificate, issuer, NID_subject_key_identifier, "hash");
    extend(certificate, issuer, NID_authority_key_identifier, "keyid");
    must(X509_sign(certificate, key, sha1 ? EVP_sha1() : EVP_sha256()) > 0, "not signed");
}

std::string alternative_names(const std::vector<std::string>& names)
{
    std::string list;
    for (const std::string& name : names) {
        boost::system::error_code no_address;
        boost::asio::ip::make_address(name, no_address);
        list += (list.empty() ? "" : ",") + std::string{no_address ? "DNS:" : "IP:"} + name;
    }
    return list;
}

/// A leaf, not yet signed.
Certificate draft_leaf(const LeafOptions& options, EVP_PKEY* key)
{
    const Certificate leaf = draft(options.common_name, key, options.valid);
    extend(leaf.get(), leaf.get(), NID_basic_constraints, "critical,CA:FALSE");
    if (!options.names.empty())
        extend(leaf.get(), leaf.get(), NID_subject_alt_name, alternative_names(options.names));
    if (options.purpose == LeafOptions::Purpose::unsaid)
        return leaf;
    const char* const usage = options.purpose == LeafOptions::Purpose::server ? "serverAuth"
                              : options.purpose == LeafOptions::Purpose::client
                                  ? "clientAuth"
                                  : "anyExtendedKeyUsage";
    extend(leaf.get(), leaf.get(), NID_ext_key_usage, usage);
    return leaf;
}

}  // namespace

TestCa::TestCa(std::string name, Validity valid)
    : TestCa{std::move(name), new_key(LeafOptions::Key::ec), nullptr, valid}
{}

TestCa::TestCa(
    std::string name, std::shared_ptr<EVP_PKEY> key, const TestCa* issuer, Validity valid)
    : name_{std::move(name)}, key_{std::move(key)}, x509_{draft(name_, key_.get(), valid)}
{
    const TestCa& signer = issuer ? *issuer : *this;
    extend(x509_.get(), signer.x509_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(x509_.get(), signer.x509_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    sign(x509_.get(), signer.x509_.get(), signer.key_.get());
    certificate_ = pem_of(x509_.get());
    if (issuer)
        above_ = certificate_ + issuer->above_;
}

TestCa TestCa::intermediate(std::string name, Validity valid) const
{
    return {std::move(name), new_key(LeafOptions::Key::ec), this, valid};
}

TestCa TestCa::reissued(Validity valid) const
{
    return {name_, key_, nullptr, valid};
}

Identity TestCa::issue(const LeafOptions& options) const
{
    const Key key = new_key(options.key);
    const Certificate leaf = draft_leaf(options, key.get());
    sign(leaf.get(), x509_.get(), key_.get(), options.sha1);
    const std::string certificate = pem_of(leaf.get());
    return {certificate, certificate + above_, pem_of(key.get())};
}

Identity self_signed(const LeafOptions& options)
{
    const Key key = new_key(options.key);
    const Certificate leaf = draft_leaf(options, key.get());
    sign(leaf.get(), leaf.get(), key.get(), options.sha1);
    const std::string certificate = pem_of(leaf.get());
    return {certificate, certificate, pem_of(key.get())};
}

IdentityFiles write(const ScratchFolder& folder, std::string_view name, const Identity& identity)
{
    return {folder.write(std::string{name} + ".pem", identity.chain),
        folder.write(std::string{name} + ".key", identity.key)};
}

}  // namespace sonde::tests
