#include "agent/net/tls_verify.h"
#include "tests/support/test_ca.h"

#include <doctest/doctest.h>
#include <openssl/x509_vfy.h>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;

namespace {

struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

/// Judges a chain, PEM with the leaf first, as a handshake would. @return whether it is accepted.
bool judge(net::TlsPeer& peer, const std::string& anchors, const std::string& chain)
{
    const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store{
        X509_STORE_new(), X509_STORE_free};
    for (const auto& anchor : net::read_certificates(anchors))
        X509_STORE_add_cert(store.get(), anchor.get());
    const auto sent = net::read_certificates(chain);
    REQUIRE_FALSE(sent.empty());
    const std::unique_ptr<STACK_OF(X509), FreeStack> all{sk_X509_new_null()};
    for (const auto& certificate : sent)
        sk_X509_push(all.get(), certificate.get());
    const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> presented{
        X509_STORE_CTX_new(), X509_STORE_CTX_free};
    REQUIRE(X509_STORE_CTX_init(presented.get(), store.get(), sent.front().get(), all.get()) == 1);
    return net::verify_peer(presented.get(), peer) == 1;
}

std::time_t end_of(const std::string& pem)
{
    return net::not_after(net::read_certificates(pem).at(0).get());
}

LeafOptions lasting(std::chrono::seconds length)
{
    return {.names = {"www.sonde.test"}, .valid = Validity::lasting(length)};
}

}  // namespace

TEST_SUITE("agent/net/tls_verify")
{
    TEST_CASE("a name matches a subjectAltName and nothing else")
    {
        const TestCa root;
        const Identity identity = root.issue({.names = {"www.sonde.test", "*.wild.test", "*.top",
                                                  "under_score.test", "10.0.0.1", "2001:db8::1"},
            .common_name = "only.subject.test"});
        const auto certificates = net::read_certificates(identity.certificate);
        const std::pair<std::string, bool> cases[] = {{"www.sonde.test", true},
            {"WWW.Sonde.Test", true}, {"www.sonde.test.", true}, {"sonde.test", false},
            {"xwww.sonde.test", false}, {"www.sonde.test.evil", false}, {"a.wild.test", true},
            {"A.WILD.test", true}, {"a.b.wild.test", false}, {"wild.test", false},
            {".wild.test", false}, {"*.wild.test", true}, {"x.top", true}, {"top", false},
            {"under_score.test", true}, {"only.subject.test", false}, {"10.0.0.1", true},
            {"10.0.0.2", false}, {"2001:db8::1", true}, {"2001:DB8:0::1", true},
            {"2001:db8::2", false}, {"", false}};
        for (const auto& [name, matches] : cases) {
            CAPTURE(name);
            CHECK(net::certificate_matches(certificates.at(0).get(), name) == matches);
        }
    }

    TEST_CASE("an address written as a DNS name does not stand for the address")
    {
        // The issuer writes an IP literal as an address; the wildcard is what could be mistaken.
        const TestCa root;
        const auto identity = root.issue({.names = {"*.0.0.1"}});
        const auto certificates = net::read_certificates(identity.certificate);
        CHECK_FALSE(net::certificate_matches(certificates.at(0).get(), "10.0.0.1"));
    }

    TEST_CASE("of a chain the earliest end counts, of several chains the one that lasts longest")
    {
        const TestCa root{"Root", Validity::lasting(120h)};
        const TestCa longer = root.reissued(Validity::lasting(960h));
        const TestCa ended = root.reissued(Validity::expired());
        const TestCa below = root.intermediate("Below", Validity::lasting(480h));
        const Identity leaf = below.issue(lasting(240h));
        const std::string sends_root = leaf.chain + root.certificate();
        struct {
            std::string what;
            std::string anchors;
            std::string chain;
            std::time_t end;
        } const cases[] = {
            {"the root ends first", root.certificate(), leaf.chain, end_of(root.certificate())},
            {"the root comes with the chain", root.certificate(), sends_root,
                end_of(root.certificate())},
            {"the leaf ends first", longer.certificate(), leaf.chain, end_of(leaf.certificate)},
            {"both roots", root.certificate() + longer.certificate(), leaf.chain,
                end_of(leaf.certificate)},
            {"both roots, the other way", longer.certificate() + root.certificate(), leaf.chain,
                end_of(leaf.certificate)},
            {"an ended root beside", ended.certificate() + root.certificate(), leaf.chain,
                end_of(root.certificate())},
            {"the intermediate is an anchor", below.certificate(), leaf.chain,
                end_of(leaf.certificate)},
            {"the leaf is an anchor", leaf.certificate, leaf.certificate, end_of(leaf.certificate)},
        };
        for (const auto& each : cases) {
            CAPTURE(each.what);
            net::TlsPeer peer;
            peer.name = "www.sonde.test";
            CHECK(judge(peer, each.anchors, each.chain));
            CAPTURE(peer.message);
            CHECK(peer.last_expiry == each.end);
        }
    }

    TEST_CASE("all that was sent is noted in its order, used or not")
    {
        const TestCa root;
        const TestCa stranger{"Stranger"};
        const Identity leaf = root.issue(lasting(240h));
        net::TlsPeer peer;
        peer.name = "www.sonde.test";
        CHECK(judge(peer, root.certificate(), leaf.chain + stranger.certificate()));
        REQUIRE(peer.sent.size() == 2);
        CHECK(net::not_after(peer.sent[0].get()) == end_of(leaf.certificate));
        CHECK(net::not_after(peer.sent[1].get()) == end_of(stranger.certificate()));
        CHECK(peer.cause.empty());
        CHECK(peer.message.empty());
    }

    TEST_CASE("a refusal says why, keeps what was sent and counts no chain")
    {
        const TestCa root;
        const Identity leaf = root.issue(lasting(240h));
        net::TlsPeer peer;
        peer.name = "ftp.sonde.test";
        CHECK_FALSE(judge(peer, root.certificate(), leaf.chain));
        CHECK(peer.cause == "certificate_name");
        CHECK(peer.message.find("ftp.sonde.test") != std::string::npos);
        CHECK(peer.sent.size() == 1);
        CHECK_FALSE(peer.last_expiry.has_value());

        net::TlsPeer unasked;
        unasked.verify = false;
        CHECK(judge(unasked, root.certificate(), leaf.chain));
        CHECK(unasked.sent.size() == 1);
        CHECK_FALSE(unasked.last_expiry.has_value());
    }

    TEST_CASE("a signature of another key under the issuer's name does not pass")
    {
        const TestCa root{"Root"};
        const TestCa impostor{"Root"};
        net::TlsPeer peer;
        peer.name = "www.sonde.test";
        CHECK_FALSE(judge(peer, root.certificate(), impostor.issue(lasting(240h)).chain));
        CHECK(peer.cause == "certificate_untrusted");
    }
}
