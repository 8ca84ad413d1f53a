#include "agent/net/deadline.h"
#include "agent/net/resolver.h"
#include "tests/support/fake_dns.h"
#include "tests/support/loop.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <algorithm>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using net::IpVersion;
using Source = net::Resolution::Source;
using Type = FakeDns::Type;

namespace {

/// A resolver that knows one hosts file and one name server, both ours.
struct Names {
    asio::io_context loop;
    FakeDns dns{loop};
    ScratchFolder folder;
    std::unique_ptr<net::Resolver> resolver;

    Names() { use("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n"); }

    void use(const std::string& resolv_conf, const std::string& hosts = "")
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", hosts);
        files.resolv_conf = folder.write("resolv.conf", resolv_conf);
        files.port = dns.port();
        resolver = net::make_resolver(loop.get_executor(), files);
    }

    net::Resolved resolve(const std::string& host, IpVersion version = IpVersion::any)
    {
        return *await(loop, wrapped(host, version));
    }

    /// The address, or the cause of there being none.
    std::string answer(const std::string& host, IpVersion version = IpVersion::any)
    {
        const auto found = resolve(host, version);
        return found ? found->address.to_string() : std::string{found.error().cause};
    }

    bool was_asked(const std::string& question) const
    {
        return std::find(dns.asked().begin(), dns.asked().end(), question) != dns.asked().end();
    }

private:
    asio::awaitable<std::optional<net::Resolved>> wrapped(std::string host, IpVersion version)
    {
        co_return co_await resolver->resolve(std::move(host), version);
    }
};

}  // namespace

TEST_SUITE("agent/net/resolver")
{
    TEST_CASE_FIXTURE(Names, "of both families the first IPv6 address is taken, else the last IPv4")
    {
        dns.set("both.test", Type::a, {{"192.0.2.1", "192.0.2.2"}});
        dns.set("both.test", Type::aaaa, {{"2001:db8::1"}});
        dns.set("four.test", Type::a, {{"127.0.0.1"}});
        dns.set("six.test", Type::aaaa, {{"::1"}});
        struct {
            std::string host;
            IpVersion version;
            std::string answer;
        } const cases[] = {
            {"both.test", IpVersion::any, "2001:db8::1"},
            {"both.test", IpVersion::v6, "2001:db8::1"},
            {"four.test", IpVersion::any, "127.0.0.1"},
            {"four.test", IpVersion::v4, "127.0.0.1"},
            {"four.test", IpVersion::v6, "no_address"},
            {"six.test", IpVersion::any, "::1"},
            {"six.test", IpVersion::v6, "::1"},
            {"six.test", IpVersion::v4, "no_address"},
            {"Both.TEST", IpVersion::v6, "2001:db8::1"},
            {"six.test.", IpVersion::any, "::1"},
        };
        for (const auto& each : cases) {
            CAPTURE(each.host);
            CAPTURE(static_cast<int>(each.version));
            CHECK(answer(each.host, each.version) == each.answer);
        }
        const auto found = resolve("both.test", IpVersion::v4);
        REQUIRE(found.has_value());
        CHECK(found->source == Source::dns);
        CHECK(found->address.is_v4());
    }

    TEST_CASE_FIXTURE(Names, "only the families wanted are asked for")
    {
        dns.set("both.test", Type::a, {{"192.0.2.1"}});
        dns.set("both.test", Type::aaaa, {{"2001:db8::1"}});
        answer("both.test", IpVersion::v4);
        CHECK(dns.asked() == std::vector<std::string>{"A both.test"});
        answer("both.test", IpVersion::v6);
        CHECK(dns.asked() == std::vector<std::string>{"A both.test", "AAAA both.test"});
        answer("both.test");
        CHECK(dns.asked().size() == 4);  // nothing is remembered between lookups
    }

    TEST_CASE_FIXTURE(Names, "with several IPv4 addresses, Any takes the last and V4 the first")
    {
        dns.set("many.test", Type::a, {{"127.0.0.1", "127.0.0.2", "127.0.0.3"}});
        // The order of RFC 6724 between them is c-ares' affair; these are alike in every rule.
        CHECK(answer("many.test", IpVersion::v4) == "127.0.0.1");
        CHECK(answer("many.test", IpVersion::any) == "127.0.0.3");
    }

    TEST_CASE_FIXTURE(
        Names, "an alias leads to the address; a cut answer is asked for again by TCP")
    {
        FakeDns::Answer alias{{"192.0.2.7"}};
        alias.alias = "real.test";
        dns.set("alias.test", Type::a, alias);
        CHECK(answer("alias.test", IpVersion::v4) == "192.0.2.7");

        FakeDns::Answer cut{{"192.0.2.8"}};
        cut.truncated = true;
        dns.set("cut.test", Type::a, cut);
        CHECK(answer("cut.test", IpVersion::v4) == "192.0.2.8");
        CHECK(was_asked("A cut.test (tcp)"));
    }

    TEST_CASE_FIXTURE(Names, "what the server says when it has no address is told by its cause")
    {
        FakeDns::Answer broken;
        broken.code = FakeDns::server_failure;
        dns.set("broken.test", Type::a, broken);
        FakeDns::Answer refused;
        refused.code = FakeDns::refused;
        dns.set("refused.test", Type::a, refused);
        dns.set("empty.test", Type::a, {});
        const std::string too_long = std::string(64, 'x') + ".test";
        struct {
            std::string host;
            std::string cause;
            bool temporary;
        } const cases[] = {{"absent.test", "nxdomain", false}, {"empty.test", "no_address", false},
            {"broken.test", "servfail", true}, {"refused.test", "servfail", true},
            {too_long, "nxdomain", false}};
        for (const auto& each : cases) {
            CAPTURE(each.host);
            const auto found = resolve(each.host, IpVersion::v4);
            REQUIRE(found.has_error());
            CHECK(found.error().cause == each.cause);
            CHECK(found.error().temporary == each.temporary);
            CHECK_FALSE(found.error().message.empty());
        }
        CHECK(answer("absent.test") == "nxdomain");
        CHECK(answer("empty.test") == "no_address");
    }

    TEST_CASE_FIXTURE(
        Names, "with Any, one family's trouble does not matter when the other answers")
    {
        FakeDns::Answer broken;
        broken.code = FakeDns::server_failure;
        dns.set("four.test", Type::a, {{"192.0.2.1"}});
        dns.set("four.test", Type::aaaa, broken);
        CHECK(answer("four.test") == "192.0.2.1");
        dns.set("six.test", Type::a, broken);
        dns.set("six.test", Type::aaaa, {{"2001:db8::1"}});
        CHECK(answer("six.test") == "2001:db8::1");
    }

    TEST_CASE_FIXTURE(Names, "a family that gets no answer at all does not take the other with it")
    {
        use("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        FakeDns::Answer silent;
        silent.silent = true;
        dns.set("four.test", Type::a, {{"192.0.2.1"}});
        dns.set("four.test", Type::aaaa, silent);
        CHECK(answer("four.test") == "192.0.2.1");
    }

    TEST_CASE_FIXTURE(Names, "silence is the resolver's fault if it has spoken lately, else ours")
    {
        use("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        FakeDns::Answer silent;
        silent.silent = true;
        dns.set("silent.test", Type::a, silent);
        dns.set("four.test", Type::a, {{"192.0.2.1"}});
        CHECK(answer("silent.test", IpVersion::v4) == "local_resolver_unreachable");
        CHECK_FALSE(resolver->heard_lately());
        CHECK(answer("four.test", IpVersion::v4) == "192.0.2.1");
        CHECK(resolver->heard_lately());
        const auto found = resolve("silent.test", IpVersion::v4);
        REQUIRE(found.has_error());
        CHECK(found.error().cause == "resolver_silent");
        CHECK(found.error().temporary);
    }

    TEST_CASE_FIXTURE(Names, "an answer that cannot be read is not silence")
    {
        use("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
        FakeDns::Answer garbage;
        garbage.garbage = true;
        dns.set("garbage.test", Type::a, garbage);
        CHECK(answer("garbage.test", IpVersion::v4) == "servfail");
    }

    TEST_CASE_FIXTURE(Names, "a resolver that is not there is this probe's fault")
    {
        net::ResolverFiles files;
        files.hosts = folder.path("absent");
        files.resolv_conf = folder.write("resolv.conf", "nameserver 127.0.0.1\n");
        asio::ip::udp::socket closed{loop, {asio::ip::address_v4::loopback(), 0}};
        files.port = closed.local_endpoint().port();
        closed.close();
        resolver = net::make_resolver(loop.get_executor(), files);
        CHECK(answer("www.test", IpVersion::v4) == "local_resolver_unreachable");
    }

    TEST_CASE_FIXTURE(Names, "names of the hosts file are not asked for")
    {
        use("nameserver 127.0.0.1\n",
            "# 192.0.2.9 commented.test\n192.0.2.3\tlisted.test Alias.test # remark\n"
            "2001:db8::3 listed.test\n192.0.2.4 four.test\n");
        CHECK(answer("listed.test") == "2001:db8::3");
        CHECK(answer("LISTED.test.", IpVersion::v4) == "192.0.2.3");
        CHECK(answer("alias.test") == "192.0.2.3");
        CHECK(answer("four.test", IpVersion::v6) == "no_address");
        const auto found = resolve("four.test");
        REQUIRE(found.has_value());
        CHECK(found->source == Source::hosts_file);
        CHECK(dns.asked().empty());
        CHECK(answer("commented.test", IpVersion::v4) == "nxdomain");
        CHECK(was_asked("A commented.test"));
    }

    TEST_CASE_FIXTURE(Names, "a changed hosts file is read again")
    {
        use("nameserver 127.0.0.1\n", "192.0.2.3 listed.test\n");
        CHECK(answer("listed.test") == "192.0.2.3");
        const std::string file = folder.write("hosts", "192.0.2.4 listed.test\n");
        std::filesystem::last_write_time(  // two writes may fall into one tick of the file system
            file, std::filesystem::last_write_time(file) + 1s);
        CHECK(answer("listed.test") == "192.0.2.4");
        std::filesystem::remove(file);
        CHECK(answer("listed.test") == "nxdomain");
    }

    TEST_CASE_FIXTURE(Names, "literals take no lookup and keep to the family")
    {
        struct {
            std::string host;
            IpVersion version;
            std::string answer;
        } const cases[] = {{"192.0.2.1", IpVersion::any, "192.0.2.1"},
            {"192.0.2.1", IpVersion::v4, "192.0.2.1"}, {"192.0.2.1", IpVersion::v6, "wrong_family"},
            {"2001:db8::1", IpVersion::any, "2001:db8::1"},
            {"2001:db8::1", IpVersion::v4, "wrong_family"},
            {"::ffff:192.0.2.1", IpVersion::any, "192.0.2.1"},
            {"::ffff:192.0.2.1", IpVersion::v4, "192.0.2.1"},
            {"::ffff:192.0.2.1", IpVersion::v6, "wrong_family"}};
        for (const auto& each : cases) {
            CAPTURE(each.host);
            CAPTURE(static_cast<int>(each.version));
            CHECK(answer(each.host, each.version) == each.answer);
        }
        CHECK(resolve("192.0.2.1")->source == Source::literal);
        CHECK(dns.asked().empty());
    }

    TEST_CASE_FIXTURE(Names, "the search list and ndots of resolv.conf are followed")
    {
        use("nameserver 127.0.0.1\nsearch one.test two.test\noptions ndots:2\n");
        dns.set("www.two.test", Type::a, {{"192.0.2.1"}});
        dns.set("a.b.one.test", Type::a, {{"192.0.2.2"}});
        dns.set("x.y.z", Type::a, {{"192.0.2.3"}});
        CHECK(answer("www", IpVersion::v4) == "192.0.2.1");
        CHECK(dns.asked() == std::vector<std::string>{"A www.one.test", "A www.two.test"});
        CHECK(answer("a.b", IpVersion::v4) == "192.0.2.2");
        CHECK_FALSE(was_asked("A a.b"));
        CHECK(answer("x.y.z", IpVersion::v4) == "192.0.2.3");
        CHECK_FALSE(was_asked("A x.y.z.one.test"));
        CHECK(answer("www.two.test.", IpVersion::v4) == "192.0.2.1");
    }

    TEST_CASE_FIXTURE(Names, "the deadline cuts a silent lookup off")
    {
        FakeDns::Answer silent;
        silent.silent = true;
        dns.set("silent.test", Type::a, silent);
        dns.set("silent.test", Type::aaaa, silent);
        auto lookup = resolver->resolve("silent.test", IpVersion::any);
        const auto found = await(loop, net::until(net::Clock::now() + 50ms, std::move(lookup)));
        CHECK_FALSE(found.has_value());
    }

    TEST_CASE_FIXTURE(Names, "a lookup that is cancelled under way ends at once and leaves nothing")
    {
        FakeDns::Answer silent;
        silent.silent = true;
        dns.set("silent.test", Type::a, silent);
        asio::cancellation_signal stop;
        dns.on_query = [&] {
            asio::post(loop, [&] { stop.emit(asio::cancellation_type::terminal); });
        };
        std::exception_ptr ended;
        auto done = [&](std::exception_ptr error, const net::Resolved&) {
            ended = error;
            loop.stop();
        };
        asio::co_spawn(loop, resolver->resolve("silent.test", IpVersion::v4),
            asio::bind_cancellation_slot(stop.slot(), done));
        loop.run_for(5s);
        REQUIRE(loop.stopped());
        REQUIRE(ended);
        CHECK_THROWS_AS(std::rethrow_exception(ended), boost::system::system_error);
        dns.set("four.test", Type::a, {{"192.0.2.1"}});
        dns.on_query = nullptr;
        CHECK(answer("four.test", IpVersion::v4) == "192.0.2.1");
    }
}
