#include "agent/base/text.h"
#include "tests/differential/comparison.h"
#include "tests/support/real_servers.h"
#include "tests/support/test_ca.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::Pair;
using tests::Program;
using tests::Validity;

namespace {

/// nginx with certificates of all sorts, and the settings that trust them.
struct TlsComparison : tests::Comparison {
    TlsComparison()
    {
        const std::string away = fmt::format(
            "server {{ listen 127.0.0.1:{}; return 302 https://localhost:{}/; }}\n", plain, good);
        nginx.emplace(folder,
            away +
                block(good, "good",
                    below.issue({.names = {"localhost"}, .valid = Validity::lasting(ten_hours)}),
                    "http2") +
                block(alone, "alone", self) +
                block(expired, "expired",
                    root.issue({.names = {"localhost"}, .valid = Validity::expired()})) +
                block(wildcard, "wildcard", root.issue({.names = {"*.test"}})) +
                block(tls12, "tls12", root.issue({.names = {"127.0.0.1"}}), "",
                    "ssl_protocols TLSv1.2;"),
            plain);
    }

    std::string block(std::uint16_t port, const std::string& name, const tests::Identity& identity,
        const std::string& listen = "", const std::string& more = "")
    {
        const auto files = write(folder, name, identity);
        return fmt::format("server {{ listen 127.0.0.1:{} ssl {}; ssl_certificate {};\n"
                           "ssl_certificate_key {}; {}\n"
                           "location / {{ return 200 \"sni=$ssl_server_name\"; }} }}\n",
            port, listen, files.certificate_file, files.key_file, more);
    }

    /// Trusts these certificates and no other.
    void add(const std::string& name, const std::string& target, const std::string& pem,
        const std::string& ours = "", const std::string& theirs = "",
        const std::string& server_name = "")
    {
        const std::string file = folder.write(name + ".ca", pem);
        pairs.push_back({name,
            fmt::format(R"({}"tlsConfig": {{"caCert": "{}", "serverName": "{}"}})", ours,
                text::base64(pem), server_name),
            fmt::format(
                R"({}tls_config: {{ca_file: {}, server_name: "{}"}})", theirs, file, server_name),
            target});
    }
    /// Trusts all.
    void add_trusting(const std::string& name, const std::string& target,
        const std::string& ours = "", const std::string& theirs = "")
    {
        pairs.push_back({name, ours + R"("tlsConfig": {"insecureSkipVerify": true})",
            theirs + "tls_config: {insecure_skip_verify: true}", target});
    }

    static std::string at(std::uint16_t port, std::string_view host = "127.0.0.1")
    {
        return fmt::format("https://{}:{}/", host, port);
    }

    std::chrono::hours ten_hours{10};
    tests::ScratchFolder folder;
    tests::TestCa root;
    tests::TestCa below = root.intermediate();
    tests::Identity self = tests::self_signed({.names = {"localhost"}});
    std::uint16_t plain = tests::free_port();
    std::uint16_t good = tests::free_port();
    std::uint16_t alone = tests::free_port();
    std::uint16_t expired = tests::free_port();
    std::uint16_t wildcard = tests::free_port();
    std::uint16_t tls12 = tests::free_port();
    std::optional<tests::Nginx> nginx;
    std::vector<Pair> pairs;
};

}  // namespace

TEST_SUITE("differential")
{
    TEST_CASE_FIXTURE(TlsComparison, "HTTP over TLS")
    {
        const std::string& ca = root.certificate();
        const std::string http = fmt::format("http://127.0.0.1:{}/", plain);
        add("H9", at(good, "localhost"), ca, R"("validHTTPVersions": ["HTTP/2"], )",
            R"(valid_http_versions: ["HTTP/2"], )");
        add("H9-2.0", at(good, "localhost"), ca, R"("validHTTPVersions": ["HTTP/2.0"], )",
            R"(valid_http_versions: ["HTTP/2.0"], )");
        add_trusting("H37", at(alone), R"("failIfSSL": true, )", "fail_if_ssl: true, ");
        pairs.push_back({"H38", "", "", at(alone, "localhost")});
        add_trusting("H39", at(alone));
        add("H40", at(alone, "localhost"), self.certificate);
        add("H41", at(alone), self.certificate);
        add("H42", http, ca, R"("failIfBodyNotMatchesRegexp": ["^sni=localhost$"], )",
            R"(fail_if_body_not_matches_regexp: ["^sni=localhost$"], )");
        add("H42-untrusted", http, self.certificate);
        add("H42-failIfSSL", http, ca, R"("failIfSSL": true, )", "fail_if_ssl: true, ");
        add("H43", at(tls12), ca);
        add("H92", at(wildcard), ca, R"("failIfBodyNotMatchesRegexp": ["^sni=a.test$"], )",
            R"(fail_if_body_not_matches_regexp: ["^sni=a.test$"], )", "a.test");
        add("expired", at(expired, "localhost"), ca);
        add("plain-port", at(plain), ca);
        compare(Program::https, pairs);
    }
}
