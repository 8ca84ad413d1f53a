#include "agent/net/tls.h"
#include "tests/support/scripted_server.h"
#include "tests/support/test_ca.h"
#include "tests/unit/agent/net/tls_dial.h"

#include <boost/asio/detached.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <openssl/x509v3.h>

#include <tuple>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using asio::ip::tcp;
using Purpose = LeafOptions::Purpose;

namespace {

/// What the server at the other end shows and wants.
struct ServerSide {
    Identity identity;
    std::string client_ca = {};  ///< not empty: a client certificate is required, issued by this CA
    int newest = TLS1_3_VERSION;
    std::string suites = "ALL:@SECLEVEL=0";
};

/// A TLS server that sends one byte to whoever gets through the handshake.
class TlsServer {
public:
    TlsServer(asio::io_context& loop, const ServerSide& side)
        : context_{asio::ssl::context::tls_server},
          acceptor_{loop, {asio::ip::address_v4::loopback(), 0}}
    {
        SSL_CTX* const native = context_.native_handle();
        SSL_CTX_set_min_proto_version(native, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(native, side.newest);
        REQUIRE(SSL_CTX_set_cipher_list(native, side.suites.c_str()) == 1);
        context_.use_certificate_chain(asio::buffer(side.identity.chain));
        context_.use_private_key(asio::buffer(side.identity.key), asio::ssl::context::pem);
        if (!side.client_ca.empty()) {
            context_.add_certificate_authority(asio::buffer(side.client_ca));
            context_.set_verify_mode(
                asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
        }
        asio::co_spawn(loop, serve(), asio::detached);
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    /// The name that the last client asked for by SNI; empty: it sent none.
    const std::string& asked_for() const { return asked_for_; }

private:
    asio::awaitable<void> serve()
    {
        for (;;) {
            tcp::socket socket{acceptor_.get_executor()};
            co_await acceptor_.async_accept(socket, asio::use_awaitable);
            asio::ssl::stream<tcp::socket> stream{std::move(socket), context_};
            boost::system::error_code failed;
            co_await stream.async_handshake(
                asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, failed));
            const char* const name =
                SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
            asked_for_ = name ? name : "";
            const std::string byte = "!";
            if (!failed)
                co_await asio::async_write(
                    stream, asio::buffer(byte), asio::redirect_error(asio::use_awaitable, failed));
        }
    }

    asio::ssl::context context_;
    tcp::acceptor acceptor_;
    std::string asked_for_;
};

/// A small world of certificates, made once: keys are dear under the sanitizers.
struct World {
    TestCa root;
    TestCa below = root.intermediate();
    TestCa stranger{"Somebody else's root"};
    Identity good = below.issue({.names = {"www.sonde.test", "*.wild.test", "127.0.0.1", "::1"}});
    Identity client = root.issue({.common_name = "client", .purpose = Purpose::client});
    Identity foreign_client = stranger.issue({.common_name = "client", .purpose = Purpose::client});
};

const World& world()
{
    static const World made;
    return made;
}

net::TlsSettings trusting(const TestCa& anchor)
{
    net::TlsSettings settings;
    settings.ca = anchor.certificate();
    return settings;
}

net::TlsSettings with_client(net::TlsSettings settings, const Identity& identity)
{
    settings.certificate = identity.chain;
    settings.key = identity.key;
    return settings;
}

/// One handshake and all that is known afterwards.
struct Handshake {
    Dialled outcome;
    net::TlsPeer peer;
    std::string asked_for;
};

/// @param borrowed through a context that somebody else made, as libcurl does.
void handshake(Handshake& shake, const ServerSide& side, const net::TlsSettings& settings,
    std::string name, bool borrowed = false)
{
    asio::io_context loop;
    const TlsServer server{loop, side};
    net::TlsContexts contexts;
    const auto context = contexts.get(settings);
    REQUIRE_MESSAGE(context.has_value(), (context ? std::string{} : context.error().message));
    shake.peer.name = std::move(name);
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> foreign{
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    SSL* connection = nullptr;
    if (borrowed) {
        (*context)->apply(foreign.get(), shake.peer);
        connection = SSL_new(foreign.get());
    } else {
        connection = (*context)->connection(shake.peer).release();
    }
    shake.outcome = await(loop, dial(server.port(), connection, shake.peer));
    shake.asked_for = server.asked_for();
}

struct Case {
    std::string what;
    ServerSide server;
    net::TlsSettings client;
    std::string name;
    std::string_view cause;  ///< empty: accepted
};

void check(const Case& given)
{
    CAPTURE(given.what);
    for (const bool borrowed : {false, true}) {
        CAPTURE(borrowed);
        Handshake shake;
        handshake(shake, given.server, given.client, given.name, borrowed);
        CAPTURE(shake.outcome.failure.message);
        CHECK(shake.outcome.accepted == given.cause.empty());
        CHECK(shake.outcome.failure.cause == given.cause);
        CHECK(shake.outcome.failure.message.empty() == given.cause.empty());
    }
}

}  // namespace

TEST_SUITE("agent/net/tls")
{
    TEST_CASE("chains that lead to an anchor are accepted")
    {
        const World& w = world();
        const Identity bare = w.below.issue({.names = {"www.sonde.test"}});
        const Identity alone = self_signed({.names = {"www.sonde.test"}});
        net::TlsSettings leaf_trusted;
        leaf_trusted.ca = "some text\n" + alone.certificate;
        const Identity weak =
            w.root.issue({.names = {"www.sonde.test"}, .key = LeafOptions::Key::rsa_1024});
        const Identity any = w.root.issue({.names = {"www.sonde.test"}, .purpose = Purpose::any});
        const Identity unsaid =
            w.root.issue({.names = {"www.sonde.test"}, .purpose = Purpose::unsaid});
        const Case cases[] = {
            {"root, intermediate, leaf", {w.good}, trusting(w.root), "www.sonde.test", ""},
            {"an address", {w.good}, trusting(w.root), "127.0.0.1", ""},
            {"an IPv6 address", {w.good}, trusting(w.root), "::1", ""},
            {"a wildcard", {w.good}, trusting(w.root), "A.Wild.test", ""},
            {"a dot at the end", {w.good}, trusting(w.root), "www.sonde.test.", ""},
            {"an intermediate as anchor", {{bare.certificate, bare.certificate, bare.key}},
                trusting(w.below), "www.sonde.test", ""},
            {"a leaf as anchor", {alone}, leaf_trusted, "www.sonde.test", ""},
            {"RSA of 1024 bits", {weak}, trusting(w.root), "www.sonde.test", ""},
            {"for any purpose", {any}, trusting(w.root), "www.sonde.test", ""},
            {"for no purpose in particular", {unsaid}, trusting(w.root), "www.sonde.test", ""},
            {"TLS 1.2", {w.good, "", TLS1_2_VERSION}, trusting(w.root), "www.sonde.test", ""},
        };
        for (const Case& each : cases)
            check(each);
    }

    TEST_CASE("chains with a fault are refused, each for its reason")
    {
        const World& w = world();
        const Identity expired =
            w.root.issue({.names = {"www.sonde.test"}, .valid = Validity::expired()});
        const Identity early =
            w.root.issue({.names = {"www.sonde.test"}, .valid = Validity::not_yet()});
        const Identity below_expired = w.root.intermediate("Expired", Validity::expired())
                                           .issue({.names = {"www.sonde.test"}});
        const Identity alone = self_signed({.names = {"www.sonde.test"}});
        const Identity for_clients =
            w.root.issue({.names = {"www.sonde.test"}, .purpose = Purpose::client});
        const Identity sha1 = w.root.issue({.names = {"www.sonde.test"}, .sha1 = true});
        const Identity cn_only = w.root.issue({.common_name = "www.sonde.test"});
        const ServerSide headless{{w.good.certificate, w.good.certificate, w.good.key}};
        const auto root = trusting(w.root);
        const std::string name = "www.sonde.test";
        const Case cases[] = {
            {"expired", {expired}, root, name, "certificate_expired"},
            {"an expired intermediate", {below_expired}, root, name, "certificate_expired"},
            {"not yet valid", {early}, root, name, "certificate_not_yet_valid"},
            {"another name", {w.good}, root, "ftp.sonde.test", "certificate_name"},
            {"another address", {w.good}, root, "127.0.0.2", "certificate_name"},
            {"two labels for one star", {w.good}, root, "a.b.wild.test", "certificate_name"},
            {"the name only in the subject", {cn_only}, root, name, "certificate_name"},
            {"another root", {w.good}, trusting(w.stranger), name, "certificate_untrusted"},
            {"the system's roots", {w.good}, {}, name, "certificate_untrusted"},
            {"no intermediate sent", headless, root, name, "certificate_untrusted"},
            {"self-signed", {alone}, root, name, "certificate_untrusted"},
            {"for clients", {for_clients}, root, name, "certificate_unsuitable"},
            {"signed with SHA-1", {sha1}, root, name, "certificate_unsuitable"},
        };
        for (const Case& each : cases)
            check(each);
    }

    TEST_CASE("insecureSkipVerify accepts whatever is shown, and nothing counts as verified")
    {
        const World& w = world();
        net::TlsSettings settings = trusting(w.stranger);
        settings.insecure_skip_verify = true;
        const Identity expired =
            w.root.issue({.names = {"www.sonde.test"}, .valid = Validity::expired()});
        check({"expired, untrusted, of another name", {expired}, settings, "x.test", ""});
        Handshake shake;
        handshake(shake, {expired}, settings, "x.test");
        CHECK(shake.peer.sent.size() == 1);
        CHECK_FALSE(shake.peer.last_expiry.has_value());
    }

    TEST_CASE("a client certificate is given when there is one; its refusal is told as such")
    {
        const World& w = world();
        const auto plain = trusting(w.root);
        const auto ours = with_client(plain, w.client);
        const auto foreign = with_client(plain, w.foreign_client);
        const std::string name = "www.sonde.test";
        const std::string ca = w.root.certificate();
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            CAPTURE(version);
            const ServerSide wanting{w.good, ca, version};
            check({"given", wanting, ours, name, ""});
            check({"missing", wanting, plain, name, "client_certificate"});
            check({"of another CA", wanting, foreign, name, "client_certificate"});
            check({"not asked for", {w.good, "", version}, ours, name, ""});
        }
    }

    TEST_CASE("what the server cannot do is told apart")
    {
        const World& w = world();
        const ServerSide old{w.good, "", TLS1_1_VERSION};
        check({"TLS 1.1", old, trusting(w.root), "www.sonde.test", "protocol_version"});

        const Identity rsa =
            w.root.issue({.names = {"www.sonde.test"}, .key = LeafOptions::Key::rsa_2048});
        const ServerSide static_rsa{rsa, "", TLS1_2_VERSION, "AES128-SHA256:@SECLEVEL=0"};
        Handshake shake;
        handshake(shake, static_rsa, trusting(w.root), "www.sonde.test");
        CHECK_FALSE(shake.outcome.accepted);
        CHECK(shake.outcome.failure.cause == "alert");
        CHECK(shake.outcome.failure.alert == 40);  // handshake_failure
    }

    TEST_CASE("a server that does not speak TLS is told apart from one that hangs up")
    {
        const std::tuple<std::string, std::string, std::string_view> cases[] = {
            {"another protocol", "220 mail.sonde.test ESMTP\r\n", "not_tls"},
            {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", "not_tls"}, {"nothing", "", ""}};
        for (const auto& [what, greeting, cause] : cases) {
            CAPTURE(what);
            asio::io_context loop;
            const ScriptedServer server{loop, {{{.await = "\x16", .send = greeting}}}};
            net::TlsContexts contexts;
            net::TlsPeer peer;
            peer.name = "www.sonde.test";
            const auto context = *contexts.get(trusting(world().root));
            const auto outcome =
                await(loop, dial(server.port(), context->connection(peer).release(), peer));
            CHECK_FALSE(outcome.accepted);
            CHECK(outcome.failure.cause == cause);
            CHECK(peer.sent.empty());
        }
    }

    TEST_CASE("what the peer sent and what was negotiated is noted")
    {
        const World& w = world();
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            CAPTURE(version);
            Handshake shake;
            handshake(shake, {w.good, "", version}, trusting(w.root), "www.sonde.test");
            CHECK(shake.peer.version == version);
            REQUIRE(shake.peer.sent.size() == 2);  // leaf first
            CHECK(X509_check_host(shake.peer.sent[0].get(), "www.sonde.test", 0, 0, nullptr) == 1);
            CHECK(X509_check_ca(shake.peer.sent[1].get()) == 1);
            CHECK(shake.peer.last_expiry.has_value());
            CHECK(shake.peer.handshake_began < shake.peer.handshake_done);
            CHECK_FALSE(shake.peer.asked_for_certificate);
        }
        Handshake refused;
        handshake(refused, {w.good}, trusting(w.stranger), "www.sonde.test");
        CHECK(refused.peer.sent.size() == 2);  // known all the same
        CHECK(refused.peer.version == TLS1_3_VERSION);
        CHECK_FALSE(refused.peer.last_expiry.has_value());
    }

    TEST_CASE("the handshake begins when the peer is asked, not when we get ready to")
    {
        const std::chrono::steady_clock::time_point never{};
        net::TlsContexts contexts;
        const auto context = *contexts.get(trusting(world().root));
        for (const bool asks : {true, false}) {
            CAPTURE(asks);
            net::TlsPeer peer;
            peer.name = "www.sonde.test";
            const auto connection = context->connection(peer);
            if (!asks)  // below what the context allows: nothing is left to ask for
                SSL_set_max_proto_version(connection.get(), TLS1_1_VERSION);
            SSL_set_bio(connection.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
            CHECK(SSL_connect(connection.get()) < 0);
            CHECK((peer.handshake_began != never) == asks);
        }
    }

    TEST_CASE("settings that cannot be used are refused with their cause")
    {
        const World& w = world();
        net::TlsSettings no_ca;
        no_ca.ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        const auto good = with_client(trusting(w.root), w.client);
        auto no_key = good;
        no_key.key.clear();
        auto no_certificate = good;
        no_certificate.certificate.clear();
        auto wrong_key = good;
        wrong_key.key = w.foreign_client.key;
        auto unreadable_key = good;
        unreadable_key.key = "no PEM";
        auto unreadable_certificate = good;
        unreadable_certificate.certificate = w.client.key;
        const std::tuple<std::string, net::TlsSettings, std::string_view> cases[] = {
            {"no usable anchor", no_ca, "ca"}, {"no key", no_key, "client_pair"},
            {"no certificate", no_certificate, "client_pair"},
            {"another key", wrong_key, "client_pair"},
            {"an unreadable key", unreadable_key, "client_pair"},
            {"an unreadable certificate", unreadable_certificate, "client_pair"}};
        net::TlsContexts contexts;
        for (const auto& [what, settings, cause] : cases) {
            CAPTURE(what);
            const auto context = contexts.get(settings);
            REQUIRE(context.has_error());
            CHECK(context.error().reason == "tls_config");
            CHECK(context.error().cause == cause);
        }
        CHECK(contexts.get(good).has_value());
    }

    TEST_CASE("a context is kept: the same settings share it, others do not")
    {
        const World& w = world();
        net::TlsContexts contexts;
        const auto first = *contexts.get(trusting(w.root));
        CHECK(*contexts.get(trusting(w.root)) == first);
        CHECK(*contexts.get(trusting(w.stranger)) != first);
        CHECK(*contexts.get(with_client(trusting(w.root), w.client)) != first);
    }

    TEST_CASE("of a PEM text the certificates are read, what is between them is not")
    {
        const World& w = world();
        const std::string text = "subject: leaf\n" + w.good.key + w.good.chain +
                                 "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n"
                                 "-----END CERTIFICATE-----\n" +
                                 w.root.certificate();
        CHECK(net::read_certificates(text).size() == 3);
        CHECK(net::read_certificates("").empty());
    }

    TEST_CASE("the name is sent as SNI, an address is not")
    {
        const World& w = world();
        const std::pair<std::string, const char*> cases[] = {{"www.sonde.test", "www.sonde.test"},
            {"www.sonde.test.", "www.sonde.test"}, {"127.0.0.1", ""}, {"::1", ""}};
        for (const auto& [name, sent] : cases)
            for (const bool borrowed : {false, true}) {
                CAPTURE(name);
                CAPTURE(borrowed);
                Handshake shake;
                handshake(shake, {w.good}, trusting(w.root), name, borrowed);
                CHECK(shake.outcome.accepted);
                CHECK(shake.asked_for == sent);
            }
    }
}
