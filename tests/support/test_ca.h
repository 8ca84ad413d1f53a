#pragma once

#include "tests/support/scratch_folder.h"

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::tests {

/// From when to when a certificate is valid, as seen from now.
struct Validity {
    std::chrono::seconds begins = -std::chrono::hours{1};
    std::chrono::seconds ends = std::chrono::hours{24};

    static Validity expired() { return {-std::chrono::hours{48}, -std::chrono::hours{24}}; }
    static Validity not_yet() { return {std::chrono::hours{24}, std::chrono::hours{48}}; }
    /// Valid since an hour, for `length` more.
    static Validity lasting(std::chrono::seconds length)
    {
        return {-std::chrono::hours{1}, length};
    }
};

/// What the certificate of a server or client says; the defaults are those of a good server.
struct LeafOptions {
    enum class Purpose { server, client, any, unsaid };  ///< unsaid: no extended key usage at all
    enum class Key { ec, rsa_1024, rsa_2048 };

    std::vector<std::string> names =
        {};  ///< its subjectAltName: DNS names and IP literals, or none
    std::string common_name = "Sonde test leaf";
    Validity valid = {};
    Purpose purpose = Purpose::server;
    Key key = Key::ec;
    bool sha1 = false;  ///< signed with SHA-1, which nobody should accept
};

/// A certificate with its key, in PEM.
struct Identity {
    std::string certificate;  ///< the leaf alone
    std::string chain;        ///< leaf, then its intermediates; never the root
    std::string key;          ///< PKCS#8, not encrypted
};

/// A certificate authority in memory: a root, or an intermediate below one.
///
///     const TestCa root;
///     const TestCa below = root.intermediate();
///     const Identity server = below.issue({.names = {"www.sonde.test", "127.0.0.1"}});
///     settings.ca = root.certificate();        // what the client is to trust
///     write(folder, "server", server);         // what a server wants as files
class TestCa {
public:
    /// A root of its own, with a key of its own.
    explicit TestCa(std::string name = "Sonde test root", Validity valid = {});

    /// An authority whose certificate this one has signed.
    TestCa intermediate(std::string name = "Sonde test intermediate", Validity valid = {}) const;
    /// The same root, name and key, in a certificate of other dates: what it issues leads to both.
    TestCa reissued(Validity valid) const;

    Identity issue(const LeafOptions& options) const;

    /// PEM of this authority's certificate.
    const std::string& certificate() const { return certificate_; }

private:
    TestCa(std::string name, std::shared_ptr<EVP_PKEY> key, const TestCa* issuer, Validity valid);

    std::string name_;
    std::shared_ptr<EVP_PKEY> key_;
    std::shared_ptr<X509> x509_;
    std::string certificate_;
    std::string above_;  // PEM of what a server sends after a leaf; empty for a root
};

/// A leaf that vouches for itself.
Identity self_signed(const LeafOptions& options);

/// An identity in files: `<name>.pem`, the chain, and `<name>.key`.
struct IdentityFiles {
    std::string certificate_file;
    std::string key_file;
};
IdentityFiles write(const ScratchFolder& folder, std::string_view name, const Identity& identity);

}  // namespace sonde::tests
