// Certificates that peers present, and PEM texts of checks: checkers/tls_facts, agent/net/tls. An
// input is PEM, or a certificate or a name in DER.
#include "agent/base/text.h"
#include "checkers/tls_facts.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>

namespace {

using namespace sonde;

struct FreeName {
    void operator()(X509_NAME* name) const { X509_NAME_free(name); }
};

void check_name(const X509_NAME* name)
{
    const std::string text = checkers::distinguished_name(name);
    fuzz::require(text.empty() == (X509_NAME_entry_count(name) == 0), "a name is not lost");
}

void check_certificate(net::Certificate certificate)
{
    check_name(X509_get_subject_name(certificate.get()));
    check_name(X509_get_issuer_name(certificate.get()));
    const std::string serial = checkers::serial_number(certificate.get());
    fuzz::require(serial.size() % 2 == 0, "a serial number is whole bytes");
    net::not_before(certificate.get());
    net::not_after(certificate.get());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = fuzz::Input{data, size}.rest();
    for (net::Certificate& certificate : net::read_certificates(bytes))
        check_certificate(std::move(certificate));
    const unsigned char* at = data;
    if (net::Certificate certificate{d2i_X509(nullptr, &at, static_cast<long>(size))})
        check_certificate(std::move(certificate));
    at = data;
    const std::unique_ptr<X509_NAME, FreeName> name{
        d2i_X509_NAME(nullptr, &at, static_cast<long>(size))};
    if (name)
        check_name(name.get());
    return 0;
}
