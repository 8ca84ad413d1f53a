#include "agent/base/text.h"
#include "agent/net/tls.h"
#include "tests/support/http_rows.h"
#include "tests/support/http_v2_server.h"
#include "tests/support/real_servers.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::check_series;
using tests::HttpFixture;
using tests::LeafOptions;
using tests::reasons_of;

namespace {

/// Trusts these certificates and nothing else.
std::string trusting(std::string_view pem, const std::string& more = "")
{
    return fmt::format(R"("tlsConfig": {{"caCert": "{}"{}{}}})", text::base64(pem),
        more.empty() ? "" : ", ", more);
}

const std::string trusting_all = R"("tlsConfig": {"insecureSkipVerify": true})";

/// The body of the servers below tells the name they were asked by (SNI).
std::string asked_as(const std::string& name)
{
    return fmt::format(R"(, "failIfBodyNotMatchesRegexp": ["^sni={}$"])", name);
}

/// nginx as these rows want it.
struct TlsFixture : HttpFixture {
    TlsFixture()
    {
        const auto block = [&](std::uint16_t port, const std::string& name,
                               const tests::Identity& identity, const std::string& more) {
            const auto files = write(folder, name, identity);
            return fmt::format("server {{ listen 127.0.0.1:{} ssl{}; ssl_certificate {};\n"
                               "ssl_certificate_key {}; {}\n"
                               "location / {{ return 200 \"sni=$ssl_server_name\"; }} }}\n",
                port, port == good ? " http2" : "", files.certificate_file, files.key_file, more);
        };
        const std::string away = fmt::format(
            "server {{ listen 127.0.0.1:{}; return 302 https://localhost:{}/; }}\n", plain, good);
        const std::string down =
            fmt::format("location /again {{ return 302 /; }} location /mute {{ return 444; }}\n"
                        "location /down {{ return 302 http://localhost:{}/; }}\n",
                serve({tests::ok()}).port());
        nginx.emplace(folder,
            away + block(good, "good", authority.issue({.names = {"localhost"}}), down) +
                block(alone, "alone", self, down) +
                block(wildcard, "wildcard", authority.issue({.names = {"*.test"}}), down) +
                block(old_fashioned, "old_fashioned",
                    authority.issue({.names = {"127.0.0.1"}, .key = LeafOptions::Key::rsa_2048}),
                    "ssl_protocols TLSv1.2; ssl_ciphers AES128-GCM-SHA256;"),
            plain);
    }
    static std::string https(std::uint16_t port, std::string_view host = "127.0.0.1")
    {
        return fmt::format("https://{}:{}/", host, port);
    }

    tests::ScratchFolder folder;
    tests::TestCa authority;
    tests::Identity self = tests::self_signed({.names = {"localhost"}});
    std::uint16_t plain = tests::free_port();
    std::uint16_t good = tests::free_port();
    std::uint16_t alone = tests::free_port();
    std::uint16_t wildcard = tests::free_port();
    std::uint16_t old_fashioned = tests::free_port();
    std::optional<tests::Nginx> nginx;
};

}  // namespace

TEST_SUITE("checkers/http")
{
    TEST_CASE_FIXTURE(TlsFixture, "table 7.1: TLS and HTTP/2")
    {
        const std::string trusted = trusting(authority.certificate());
        const std::string trusts_self = trusting(self.certificate);
        const std::string other_name =
            trusting(authority.certificate(), R"("serverName": "a.test")");
        const auto ends = net::not_after(net::read_certificates(self.certificate)[0].get());
        const std::string mixed_case = fmt::format("HtTpS://127.0.0.1:{}", alone);
        const std::string http = fmt::format("http://127.0.0.1:{}/", plain);
        constexpr auto all_phases = "resolve>0 connect>0 tls>0 processing>0 transfer>0";
        const struct {
            const char* name;
            std::string target;
            std::string members;
            std::string_view reasons;
            std::string_view cause;
            std::string series;
        } rows[] = {
            {"H9", https(good, "localhost"), R"("validHTTPVersions": ["HTTP/2"], )" + trusted,
                "http_version", "", "version=2 status=200 ssl=1"},
            {"H9, as it is written", https(good, "localhost"),
                R"("validHTTPVersions": ["HTTP/2.0"], )" + trusted, "", "", "version=2"},
            {"H37", https(alone), R"("failIfSSL": true, )" + trusting_all, "http_ssl", "",
                "ssl=1 status=200 earliest>0 chain_info=1 tls_version=1 cipher=1"},
            {"H38", https(alone, "localhost"), "", "tls", "certificate_untrusted",
                "ssl=0 status=0 version=0 connect>0 tls=0 processing=0 transfer=0 earliest>0 "
                "chain_info=1 tls_version=1 last_chain=-"},
            {"H39", https(alone), trusting_all, "", "",
                "ssl=1 version=1.1 earliest>0 last_chain=-"},
            {"H40", https(alone, "localhost"), trusts_self + asked_as("localhost"), "", "",
                fmt::format("ssl=1 last_chain={0} earliest={0}", ends)},
            {"H41", https(alone), trusts_self, "tls", "certificate_name",
                "ssl=0 status=0 connect>0 tls=0 earliest>0 last_chain=-"},
            {"H42", http, trusted + asked_as("localhost"), "", "",
                "ssl=1 version=2 redirects=1 tls>0 last_chain>0"},
            {"H42, serverName is for the first origin", http, other_name + asked_as("localhost"),
                "", "", "ssl=1 redirects=1"},
            {"H42, failIfSSL looks at the final response", http, R"("failIfSSL": true, )" + trusted,
                "http_ssl", "", "ssl=1"},
            {"H43", https(good, "localhost"), trusted, "", "", all_phases},
            {"H43, HTTP/1.1", https(alone, "localhost"), trusts_self, "", "", all_phases},
            {"H63", mixed_case, trusting_all, "", "", "ssl=1 status=200"},
            {"H91", https(old_fashioned), trusting_all, "tls", "alert",
                "status=0 ssl=0 connect>0 tls=0 earliest=-"},
            {"H92", https(wildcard), other_name + asked_as("a\\\\.test"), "", "",
                "ssl=1 last_chain>0"},
            {"H92, after a redirect to the same origin", https(wildcard) + "again",
                other_name + asked_as("a\\\\.test"), "", "", "redirects=1"},
            {"the user's Host is asked for, without its port (DEV-33)", https(wildcard),
                R"("headers": ["Host: b.test:99"], )" + trusted + asked_as("b\\\\.test"), "", "",
                "ssl=1"},
            {"serverName says nothing about where to connect", https(alone),
                R"("tlsConfig": {"insecureSkipVerify": true, "serverName": "other.test/"})", "", "",
                "ssl=1 status=200"},
            {"an address is verified, but not sent", https(alone), trusting_all + asked_as(""), "",
                "", "ssl=1"},
            {"§2.6, no response byte", https(alone) + "mute", trusting_all, "http_request",
                "closed", "resolve>0 connect>0 tls>0 processing=0 transfer=0 status=0"},
            {"§2.6, verdict rules only", https(alone),
                R"("validStatusCodes": [201], )" + trusting_all, "http_status", "", all_phases}};
        for (const auto& row : rows) {
            CAPTURE(row.name);
            const auto report = ask(row.target, row.members);
            CAPTURE(report.verdict.message);
            CHECK(reasons_of(report) == row.reasons);
            CHECK(report.verdict.cause == row.cause);
            check_series(report, row.series);
        }
    }

    TEST_CASE_FIXTURE(TlsFixture, "a redirect from https to http takes no secrets along (DEV-37)")
    {
        constexpr auto credentials =
            R"("bearerToken": "secret", "headers": ["Cookie: c=secret"], )";
        const auto report =
            ask(https(good, "localhost") + "down", credentials + trusting(authority.certificate()));
        CHECK(report.verdict.message == "");
        check_series(report, "redirects=1 ssl=0 version=1.1 earliest=- tls>0");
        REQUIRE(servers.front().received().size() == 1);
        const std::string& request = servers.front().received().front();
        CHECK(request.find("secret") == std::string::npos);
        CHECK(request.find("Referer") == std::string::npos);
    }

    TEST_CASE_FIXTURE(HttpFixture, "table 7.1: HTTP/2 responses that servers rarely give")
    {
        constexpr std::uint8_t headers = 1;
        constexpr std::uint8_t rst_stream = 3;
        constexpr std::uint8_t goaway = 7;
        constexpr std::uint8_t end_of_headers_and_stream = 5;
        const std::string status_200 = "\x88";  // RFC 7541, static table
        const std::string refused{"\0\0\0\7", 4};
        const std::string internal_error{"\0\0\0\2", 4};
        const struct {
            const char* name;
            std::string frames;
            std::string_view reason;
            std::string_view cause;
            const char* series;
        } rows[] = {{"H93", tests::http2_frame(headers, end_of_headers_and_stream, 1, status_200),
                        "", "", "status=200 version=2 content=0 body=0"},
            {"H94", tests::http2_frame(rst_stream, 0, 1, refused), "http_request", "stream_error",
                "status=0 version=0 content=0 tls>0 processing=0"},
            {"another RST_STREAM", tests::http2_frame(rst_stream, 0, 1, internal_error),
                "http_request", "stream_error", "status=0"},
            {"GOAWAY", tests::http2_frame(goaway, 0, 0, std::string(4, '\0') + refused),
                "http_request", "stream_error", "status=0"}};
        const auto identity = tests::self_signed({});
        std::list<tests::Http2Server> speakers;
        for (const auto& row : rows) {
            CAPTURE(row.name);
            auto& server = speakers.emplace_back(loop, identity, row.frames);
            const auto report = ask("https://" + server.address(), trusting_all);
            CAPTURE(report.verdict.message);
            CHECK(reasons_of(report) == row.reason);
            CHECK(report.verdict.cause == row.cause);
            CHECK(server.requests() == 1);
            check_series(report, row.series);
        }
    }
}
