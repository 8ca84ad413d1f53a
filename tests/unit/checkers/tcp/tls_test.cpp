#include "agent/base/text.h"
#include "tests/support/run_fixture.h"
#include "tests/support/tls_server.h"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <ctime>
#include <set>

using namespace sonde;
using namespace std::chrono_literals;
using tests::Identity;
using tests::LeafOptions;
using tests::ScriptedServer;
using tests::TestCa;
using tests::TlsServer;
using tests::Validity;
using tests::value_of;

namespace {

const ScriptedServer::Step hold{"", "", false, true};

std::string step(std::string_view expect, std::string_view send = "", bool start_tls = false)
{
    return fmt::format(R"({{"expect": "{}", "send": "{}", "startTLS": {}}})", text::base64(expect),
        text::base64(send), start_tls);
}

/// Settings with TLS from the start; `more` goes into tlsConfig.
std::string secured(std::string_view ca, std::string_view more = "", std::string_view steps = "")
{
    return fmt::format(
        R"({{"tcp": {{"tls": true, "tlsConfig": {{"caCert": "{}"{}}}, "queryResponse": [{}]}}}})",
        text::base64(ca), more, steps);
}

std::string client(const Identity& identity)
{
    return fmt::format(R"(, "clientCert": "{}", "clientKey": "{}")",
        text::base64(identity.certificate), text::base64(identity.key));
}

std::string field_of(const checkers::Report& report, std::string_view key)
{
    std::string value;
    for (const auto& entry : report.log)
        for (const auto& field : entry.fields)
            if (field.key == key)
                value = field.value;
    return value;
}

double from_now(std::chrono::seconds length)
{
    return static_cast<double>(std::time(nullptr) + length.count());
}

const TestCa root;
const Identity good = root.issue({.names = {"localhost", "127.0.0.1"}});

/// A run to a TLS server by its address, or by "localhost".
struct TlsFixture : tests::RunFixture {
    checkers::Report to(const TlsServer& server, std::string_view settings,
        std::string_view host = "127.0.0.1", std::chrono::milliseconds timeout = 3s)
    {
        return run(fmt::format("{}:{}", host, server.port()), settings, timeout);
    }
};

}  // namespace

TEST_SUITE("checkers/tcp")
{
    TEST_CASE_FIXTURE(TlsFixture, "T3: a certificate without the address of the target")
    {
        TlsServer server{loop, {root.issue({.names = {"localhost"}})}, {hold}};
        const auto report = to(server, secured(root.certificate()));
        CHECK(report.verdict.code == "tls");
        CHECK(report.verdict.cause == "certificate_name");
        CHECK(field_of(report, "server_name") == "127.0.0.1");
        // What was sent is told all the same (DEV-11); nothing of a connection.
        CHECK(tests::has(report, "probe_ssl_earliest_cert_expiry"));
        CHECK(tests::has(report, "probe_ssl_last_chain_info"));
        CHECK(tests::has(report, "probe_tls_version_info"));
        CHECK_FALSE(tests::has(report, "probe_ssl_last_chain_expiry_timestamp_seconds"));
        CHECK_FALSE(tests::has(report, "probe_failed_due_to_regex"));
        CHECK(server.asked_for() == "");
    }

    TEST_CASE_FIXTURE(TlsFixture, "T4: by name, TLS 1.2")
    {
        const auto leaf = root.issue({.names = {"localhost"}, .valid = Validity::lasting(2h)});
        TlsServer server{loop, {leaf, TLS1_2_VERSION}, {hold}};
        const auto report = to(server, secured(root.certificate()), "localhost");
        CHECK(report.verdict.message == "");
        CHECK(server.asked_for() == "localhost");
        CHECK(value_of(report, "probe_tls_version_info", {"TLS 1.2"}) == 1);
        CHECK(value_of(report, "probe_ssl_earliest_cert_expiry") ==
              doctest::Approx(from_now(2h)).epsilon(1e-8));
        CHECK(value_of(report, "probe_failed_due_to_regex") == 0);
        CHECK_FALSE(tests::has(report, "probe_tls_cipher_info"));
    }

    TEST_CASE_FIXTURE(TlsFixture, "T5: two roots of one key; the chain through the newer counts")
    {
        const TestCa older{"Sonde two roots", Validity::lasting(24h)};
        const TestCa newer = older.reissued(Validity::lasting(72h));
        Identity leaf = older.issue({.names = {"localhost"}, .valid = Validity::lasting(48h)});
        leaf.chain += older.certificate();
        TlsServer server{loop, {leaf}, {hold}};
        const auto report =
            to(server, secured(newer.certificate() + older.certificate()), "localhost");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_ssl_earliest_cert_expiry") ==
              doctest::Approx(from_now(24h)).epsilon(1e-8));
        CHECK(value_of(report, "probe_ssl_last_chain_expiry_timestamp_seconds") ==
              doctest::Approx(from_now(48h)).epsilon(1e-8));
    }

    TEST_CASE_FIXTURE(TlsFixture, "T6, T19: SMTP with STARTTLS")
    {
        TlsServer server{loop, {good},
            {{"EHLO prober\n", "250-smtp.example.com\r\n250-AUTH\r\n"},
                {"QUIT\n", "", false, true}},
            {{"", "220 smtp.example.com ESMTP\r\n"},
                {"EHLO prober\n", "250-smtp.example.com\r\n250-STARTTLS\r\n250 HELP\r\n"},
                {"STARTTLS\n", "220 2.0.0 Ready\r\n"}}};
        const std::string settings =
            fmt::format(R"({{"tcp": {{"tlsConfig": {{"caCert": "{}"}}, "queryResponse": [{}]}}}})",
                text::base64(root.certificate()),
                fmt::join(std::vector{step("^220.*ESMTP.*$"), step("", "EHLO prober"),
                              step("^250-STARTTLS"), step("", "STARTTLS"), step("^220"),
                              step("", "", true), step("", "EHLO prober"), step("^250-AUTH"),
                              step("", "QUIT")},
                    ","));
        const auto report = to(server, settings);
        CHECK(report.verdict.message == "");
        CHECK(server.received_before() == "EHLO prober\nSTARTTLS\n");
        CHECK(server.received() == "EHLO prober\nQUIT\n");
        CHECK(tests::has(report, "probe_ssl_earliest_cert_expiry"));
        CHECK(tests::has(report, "probe_ssl_last_chain_expiry_timestamp_seconds"));
        CHECK(tests::has(report, "probe_ssl_last_chain_info"));
        CHECK(tests::has(report, "probe_tls_version_info"));
        const auto lines = tests::lines_of(report);
        // Lines of plain text that were left over are gone: "250 HELP" was read, "220" was last.
        CHECK(std::find(lines.begin(), lines.end(), "debug TLS Handshake (client) succeeded.") !=
              lines.end());
        double sum = 0;  // the handshake in the midst of a step is no part of "query"
        std::set<std::string> reached;
        for (const auto& phase : report.phases)
            if (phase.reached) {
                sum += phase.seconds;
                reached.emplace(phase.name);
            }
        CHECK(reached.contains("query"));
        CHECK(reached.contains("tls"));
        CHECK(sum <= report.wall_seconds);
    }

    TEST_CASE_FIXTURE(TlsFixture, "T20: plain text injected before the handshake is discarded")
    {
        TlsServer server{
            loop, {good}, {{"", "250 real\n", false, true}}, {{"", "220 go\n250 injected\n"}}};
        const std::string settings = fmt::format(
            R"({{"tcp": {{"tlsConfig": {{"caCert": "{}"}}, "queryResponse": [{}, {}]}}}})",
            text::base64(root.certificate()), step("^220", "", true),
            step("^250 (.*)", "got ${1}"));
        const auto report = to(server, settings);
        CHECK(report.verdict.message == "");
        CHECK(field_of(report, "line") == "got real");
        CHECK(field_of(report, "bytes") == "13");
    }

    TEST_CASE_FIXTURE(TlsFixture, "T21: not verified, no chain that ends")
    {
        TlsServer server{loop, {tests::self_signed({})}, {hold}};
        const auto report = run(server.address(),
            R"({"tcp": {"tls": true, "tlsConfig": {"insecureSkipVerify": true}}})");
        CHECK(report.verdict.message == "");
        CHECK(tests::has(report, "probe_ssl_earliest_cert_expiry"));
        CHECK_FALSE(tests::has(report, "probe_ssl_last_chain_expiry_timestamp_seconds"));
    }

    TEST_CASE_FIXTURE(TlsFixture, "T22: TLS settings that cannot be used")
    {
        TlsServer server{loop, {good}, {hold}};
        const Identity other = root.issue({});
        struct Row {
            std::string settings;
            std::string_view cause;
        };
        const Identity no_key{other.certificate, "", ""};
        const Identity no_certificate{"", "", other.key};
        const Identity mixed{other.certificate, "", good.key};
        const Row rows[] = {{secured(root.certificate(), client(no_key)), "client_pair"},
            {secured(root.certificate(), client(no_certificate)), "client_pair"},
            {secured(root.certificate(), client(mixed)), "client_pair"},
            {secured("no PEM at all"), "ca"}};
        for (const Row& row : rows) {
            const auto report = to(server, row.settings);
            CHECK(report.verdict.code == "tls_config");
            CHECK(report.verdict.cause == row.cause);
            CHECK_FALSE(tests::has(report, "probe_failed_due_to_regex"));
        }
    }

    TEST_CASE_FIXTURE(TlsFixture, "certificates that are refused, with their cause")
    {
        struct Row {
            const char* what;
            LeafOptions leaf;
            std::string_view cause;
        };
        const std::vector<std::string> names = {"127.0.0.1"};
        using Purpose = LeafOptions::Purpose;
        const Row rows[] = {
            {"expired", {.names = names, .valid = Validity::expired()}, "certificate_expired"},
            {"early", {.names = names, .valid = Validity::not_yet()}, "certificate_not_yet_valid"},
            {"another name", {.names = {"127.0.0.2"}}, "certificate_name"},
            {"CN only", {.common_name = "127.0.0.1"}, "certificate_name"},
            {"client's", {.names = names, .purpose = Purpose::client}, "certificate_unsuitable"},
            {"SHA-1", {.names = names, .sha1 = true}, "certificate_unsuitable"},
            {"any purpose", {.names = names, .purpose = Purpose::any}, ""},
            {"no purpose", {.names = names, .purpose = Purpose::unsaid}, ""},
            {"1024 bits", {.names = names, .key = LeafOptions::Key::rsa_1024}, ""}};
        for (const Row& row : rows) {
            CAPTURE(row.what);
            TlsServer server{loop, {root.issue(row.leaf)}, {hold}};
            const auto report = to(server, secured(root.certificate()));
            CHECK(report.verdict.code == (row.cause.empty() ? "" : "tls"));
            CHECK(report.verdict.cause == row.cause);
            CHECK(tests::has(report, "probe_ssl_earliest_cert_expiry"));
        }
        const TestCa stranger{"Somebody else"};
        for (const Identity& untrusted :
            {stranger.issue({.names = names}), tests::self_signed({.names = names})}) {
            TlsServer server{loop, {untrusted}, {hold}};
            CHECK(to(server, secured(root.certificate())).verdict.cause == "certificate_untrusted");
        }
        const TestCa old{"Old root", Validity::expired()};
        TlsServer expired_root{loop, {old.issue({.names = names})}, {hold}};
        CHECK(to(expired_root, secured(old.certificate())).verdict.cause == "certificate_expired");
    }

    TEST_CASE_FIXTURE(TlsFixture, "a server that wants a certificate of us, TLS 1.2 and 1.3")
    {
        const TestCa clients{"Clients"};
        const Identity wanted = clients.issue({.purpose = LeafOptions::Purpose::client});
        const Identity stranger = root.issue({.purpose = LeafOptions::Purpose::client});
        const std::string expecting = step("^hello");
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            CAPTURE(version);
            tests::TlsOptions asking{good, version};
            asking.client_ca = clients.certificate();
            TlsServer server{loop, asking, {{"", "hello\n", false, true}}};
            const auto none = to(server, secured(root.certificate(), "", expecting));
            CHECK(none.verdict.code == "tls");
            CHECK(none.verdict.cause == "client_certificate");
            const auto wrong = to(server, secured(root.certificate(), client(stranger), expecting));
            CHECK(wrong.verdict.code == "tls");
            CHECK(wrong.verdict.cause == "client_certificate");
            const auto right = to(server, secured(root.certificate(), client(wanted), expecting));
            CHECK(right.verdict.message == "");
        }
    }

    TEST_CASE_FIXTURE(TlsFixture, "servers without a version or suite of ours")
    {
        TlsServer old{loop, {good, TLS1_1_VERSION}, {hold}};
        const auto version = to(old, secured(root.certificate()));
        CHECK(version.verdict.code == "tls");
        CHECK(version.verdict.cause == "protocol_version");
        const auto rsa = root.issue({.names = {"127.0.0.1"}, .key = LeafOptions::Key::rsa_2048});
        TlsServer weak{loop, {rsa, TLS1_2_VERSION, "AES128-GCM-SHA256"}, {hold}};
        const auto suite = to(weak, secured(root.certificate()));
        CHECK(suite.verdict.code == "tls");
        CHECK(suite.verdict.cause == "alert");
        CHECK(field_of(suite, "alert") == "40");
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "what is no handshake: bytes in place of it")
    {
        const auto alert = [](char number) {
            return std::string{"\x15\x03\x03\x00\x02\x02", 6} + number;
        };
        // A ServerHello of TLS 1.1: header, length, version, random, no session, a suite.
        const std::string hello = std::string{"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02", 11} +
                                  std::string(32, 'r') + std::string{"\x00\x00\x2f\x00", 4};
        struct Row {
            const char* what;
            ScriptedServer::Step answer;
            std::string_view cause;
        };
        const std::string client_hello = "\x01";
        const Row rows[] = {{"alert 70", {client_hello, alert(70)}, "protocol_version"},
            {"alert 80", {client_hello, alert(80)}, "alert"},
            {"alert 112", {client_hello, alert(112)}, "alert"},
            {"alert 48 unasked", {client_hello, alert(48)}, "alert"},
            {"TLS 1.1", {client_hello, hello, false, true}, "protocol_version"},
            {"HTTP", {client_hello, "HTTP/1.1 400 Bad Request\r\n\r\n"}, "not_tls"},
            {"SSH", {client_hello, "SSH-2.0-OpenSSH_9.2p1\r\n"}, "not_tls"},
            {"a few bytes", {client_hello, "hello\n", false, true}, "not_tls"},
            {"the end", {client_hello, ""}, "closed"}, {"RST", {client_hello, "", true}, "reset"}};
        for (const Row& row : rows) {
            CAPTURE(row.what);
            ScriptedServer server{loop, {{row.answer}}};
            const auto report = run(server.address(), R"({"tcp": {"tls": true}})");
            CHECK(report.verdict.code == "tls");
            CHECK(report.verdict.cause == row.cause);
            CHECK_FALSE(tests::has(report, "probe_ssl_last_chain_info"));
            loop.restart();
            loop.poll();  // the server sees the end, too, while it is there
        }
        ScriptedServer silent{loop, {{hold}}};
        const auto report = run(silent.address(), R"({"tcp": {"tls": true}})", 150ms);
        CHECK(report.verdict.code == "timeout");
        CHECK(report.verdict.cause == "tls");
    }
}
