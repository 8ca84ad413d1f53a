#include "checkers/dial.h"
#include "tests/support/fake_dns.h"
#include "tests/support/host_limits.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using tests::value_of;
using Type = tests::FakeDns::Type;

namespace {

/// Runs with a name server that says what a test tells it.
struct NamedFixture : tests::RunFixture {
    tests::FakeDns dns{loop};
    tests::ScratchFolder folder;

    NamedFixture() { use("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"); }

    void use(std::string_view resolv_conf, std::string_view hosts = "")
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", hosts);
        files.resolv_conf = folder.write("resolv.conf", resolv_conf);
        files.port = dns.port();
        resolve_with(files);
    }
    void set(const std::string& name, tests::FakeDns::Answer answer)
    {
        dns.set(name, Type::a, answer);
        dns.set(name, Type::aaaa, answer);
    }
};

/// The same host asked for by each kind; nothing listens on port 1.
checkers::Report run_kind(tests::RunFixture& fixture, std::string_view kind,
    const std::string& host, std::string_view version = "Any",
    std::chrono::milliseconds timeout = 3s)
{
    if (kind == "dns")
        return fixture.run("www.example.org",
            fmt::format(
                R"({{"dns": {{"server": "{}", "port": 1, "ipVersion": "{}", "protocol": "UDP"}}}})",
                host, version),
            timeout);
    const bool v6 = host.find(':') != std::string::npos;
    const std::string target = kind == "ping" ? host : (v6 ? "[" + host + "]:1" : host + ":1");
    return fixture.run(
        target, fmt::format(R"({{"{}": {{"ipVersion": "{}"}}}})", kind, version), timeout);
}

}  // namespace

TEST_SUITE("checkers/dial")
{
    TEST_CASE("the cause of a failed system call")
    {
        struct Row {
            int number;
            std::string_view destination;
            std::string_view cause;
        };
        constexpr std::string_view here = "127.0.0.1";
        constexpr std::string_view nowhere = "fe80::1";  // not without its interface
        constexpr Row rows[] = {{EACCES, here, "local_no_permission"},
            {EPERM, here, "local_no_permission"}, {EMFILE, here, "local_exhausted"},
            {ENFILE, here, "local_exhausted"}, {ENOBUFS, here, "local_exhausted"},
            {ENOMEM, here, "local_exhausted"}, {EADDRNOTAVAIL, here, "local_exhausted"},
            {EAGAIN, here, "local_exhausted"}, {EMSGSIZE, here, "local_too_big"},
            {ECONNREFUSED, here, "refused"}, {EHOSTUNREACH, here, "unreachable"},
            {ENETUNREACH, here, "unreachable"}, {EHOSTDOWN, here, "unreachable"},
            {ECONNRESET, here, "reset"}, {EPIPE, here, "reset"}, {EINVAL, here, ""},
            {EAFNOSUPPORT, here, ""}, {ETIMEDOUT, here, ""},
            {ENETUNREACH, nowhere, "local_no_route"}, {EHOSTUNREACH, nowhere, "local_no_route"},
            {EADDRNOTAVAIL, nowhere, "local_no_route"}, {EAFNOSUPPORT, nowhere, "local_no_route"},
            {EINVAL, nowhere, "local_no_route"}};
        for (const Row& row : rows) {
            CAPTURE(row.number);
            const boost::system::error_code error{row.number, boost::system::system_category()};
            CHECK(checkers::cause_of(error,
                      tests::asio::ip::make_address(std::string{row.destination})) == row.cause);
        }
        CHECK(checkers::cause_of(tests::asio::error::eof) == "closed");
        CHECK(checkers::cause_of(tests::asio::error::host_not_found) == "");
    }

    TEST_CASE_FIXTURE(NamedFixture, "why there is no address, by kind")
    {
        set("gone.sonde.test", {.code = tests::FakeDns::no_such_name});
        set("empty.sonde.test", {});
        set("broken.sonde.test", {.code = tests::FakeDns::server_failure});
        set("closed.sonde.test", {.code = tests::FakeDns::refused});
        set("garbage.sonde.test", {.garbage = true});
        dns.set("v4.sonde.test", Type::a, {.addresses = {"192.0.2.1"}});
        struct Row {
            std::string host;
            std::string_view version;
            std::string_view cause;
        };
        const Row rows[] = {{"gone.sonde.test", "Any", "nxdomain"},
            {"empty.sonde.test", "Any", "no_address"}, {"v4.sonde.test", "V6", "no_address"},
            {"broken.sonde.test", "V4", "servfail"}, {"closed.sonde.test", "V4", "servfail"},
            {"127.0.0.1", "V6", "wrong_family"}, {"::1", "V4", "wrong_family"},
            {"::ffff:127.0.0.1", "V6", "wrong_family"}};
        for (const std::string_view kind : {"dns", "tcp", "ping"})
            for (const Row& row : rows) {
                CAPTURE(kind);
                CAPTURE(row.host);
                const auto report = run_kind(*this, kind, row.host, row.version);
                CHECK(report.verdict.code == "resolve");
                CHECK(report.verdict.cause == row.cause);
                CHECK(value_of(report, "probe_ip_protocol") == 0);
                CHECK(value_of(report, "probe_ip_addr_hash") == 0);
                CHECK(value_of(report, "probe_dns_lookup_time_seconds") > 0);
            }
    }

    TEST_CASE_FIXTURE(NamedFixture, "ping asks again when the failure may pass, nobody else does")
    {
        set("broken.sonde.test", {.code = tests::FakeDns::server_failure});
        set("gone.sonde.test", {.code = tests::FakeDns::no_such_name});
        struct Row {
            std::string_view kind;
            std::string host;
            std::size_t queries;
        };
        const Row rows[] = {{"ping", "broken.sonde.test", 4}, {"tcp", "broken.sonde.test", 1},
            {"dns", "broken.sonde.test", 1}, {"ping", "gone.sonde.test", 1}};
        for (const Row& row : rows) {
            const std::size_t before = dns.asked().size();
            run_kind(*this, row.kind, row.host, "V4");
            CHECK(dns.asked().size() - before == row.queries);
        }
    }

    TEST_CASE_FIXTURE(NamedFixture, "a silent resolver: it, or this probe's way to it")
    {
        set("silent.sonde.test", {.silent = true});
        set("gone.sonde.test", {.code = tests::FakeDns::no_such_name});
        // Never heard of: our own trouble, whether the lookup ends or the deadline comes first.
        auto report = run_kind(*this, "tcp", "silent.sonde.test", "V4");
        CHECK(report.verdict.code == "resolve");
        CHECK(report.verdict.cause == "local_resolver_unreachable");
        for (const std::string_view kind : {"tcp", "dns", "ping"}) {
            report = run_kind(*this, kind, "silent.sonde.test", "V4", 150ms);
            CHECK(report.verdict.code == "timeout");
            CHECK(report.verdict.cause == "local_resolver_unreachable");
            CHECK(report.verdict.message.find("this probe") != std::string::npos);
        }
        // It did answer a moment ago.
        run_kind(*this, "tcp", "gone.sonde.test", "V4");
        report = run_kind(*this, "tcp", "silent.sonde.test", "V4");
        CHECK(report.verdict.code == "resolve");
        CHECK(report.verdict.cause == "resolver_silent");
        for (const std::string_view kind : {"tcp", "dns", "ping"}) {
            report = run_kind(*this, kind, "silent.sonde.test", "V4", 150ms);
            CHECK(report.verdict.code == "timeout");
            CHECK(report.verdict.cause == "resolve");
        }
    }

    TEST_CASE_FIXTURE(NamedFixture, "a resolver that is not there")
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "");
        files.port = 1;  // nothing listens there; without a configuration it is asked, too
        for (const std::string_view conf : {"", "nameserver 127.0.0.1\n"}) {
            CAPTURE(conf);
            files.resolv_conf = folder.write("resolv.conf", conf);
            resolve_with(files);
            const auto report = run_kind(*this, "tcp", "www.sonde.test", "V4");
            CHECK(report.verdict.code == "resolve");
            CHECK(report.verdict.cause == "local_resolver_unreachable");
        }
    }

    TEST_CASE_FIXTURE(NamedFixture, "the hash of an address: ping counts 16 bytes but for DNS")
    {
        dns.set("v4.sonde.test", Type::a, {.addresses = {"127.0.0.1"}});
        use("nameserver 127.0.0.1\n", "127.0.0.1 listed.sonde.test\n");
        struct Row {
            std::string_view kind;
            std::string host;
            double hash;
        };
        const Row rows[] = {{"ping", "127.0.0.1", 99635399},
            {"ping", "listed.sonde.test", 99635399}, {"ping", "v4.sonde.test", 3668918509},
            {"tcp", "127.0.0.1", 3668918509}, {"tcp", "listed.sonde.test", 3668918509},
            {"dns", "v4.sonde.test", 3668918509}, {"tcp", "::1", 1751717746},
            {"tcp", "::ffff:127.0.0.1", 3668918509}};
        for (const Row& row : rows) {
            CAPTURE(row.kind);
            CAPTURE(row.host);
            CHECK(value_of(run_kind(*this, row.kind, row.host), "probe_ip_addr_hash") == row.hash);
        }
        CHECK(checkers::address_hash(tests::asio::ip::make_address("8.8.8.8")) == 2350491669);
        CHECK(checkers::address_hash(tests::asio::ip::make_address("8.8.8.8"), true) == 3796287035);
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "faults of this probe: no route")
    {
        struct Row {
            std::string_view kind;
            std::string_view code;
        };
        const Row rows[] = {{"tcp", "connect"}, {"dns", "connect"}, {"ping", "icmp_send"}};
        const tests::PrivateNetwork network;
        for (const Row& row : rows) {
            CAPTURE(row.kind);
            for (const std::string host : {"192.0.2.1", "2001:db8::1", "fe80::1"}) {
                CAPTURE(host);
                if (!network.ready() && (host != "fe80::1" || row.kind == "ping"))
                    continue;
                const auto report = run_kind(*this, row.kind, host);
                CHECK(report.verdict.code == row.code);
                CHECK(report.verdict.cause == "local_no_route");
                CHECK(report.verdict.message.find("this probe") != std::string::npos);
            }
        }
        if (!network.ready())
            MESSAGE("most not run: needs CAP_SYS_ADMIN");
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "faults of this probe: source addresses, descriptors")
    {
        struct Row {
            std::string_view kind;
            std::string_view code;
        };
        const Row exhausted[] = {{"tcp", "connect"}, {"dns", "connect"}, {"ping", "socket"}};
        for (const Row& row : exhausted) {
            // Once before: the first look at a type costs UBSan a descriptor of its own.
            CHECK(run_kind(*this, row.kind, "127.0.0.1").verdict.cause != "local_exhausted");
            loop.restart();
            loop.poll();  // sockets of the run before are closed, and stay so
            const tests::NoDescriptors none;
            const auto report = run_kind(*this, row.kind, "127.0.0.1");
            CHECK(report.verdict.code == row.code);
            CHECK(report.verdict.cause == "local_exhausted");
            CHECK(report.verdict.message.find("this probe") != std::string::npos);
        }
        struct Source {
            std::string source;
            std::string_view code;
            std::string_view cause;
        };
        const Source sources[] = {{"192.0.2.77", "connect", "local_source_address"},
            {"::1", "connect", "local_source_address"}, {"nowhere", "bad_source_address", ""}};
        for (const Source& row : sources) {
            const auto tcp = run("127.0.0.1:1",
                fmt::format(R"({{"tcp": {{"sourceIpAddress": "{}"}}}})", row.source));
            CHECK(tcp.verdict.code == row.code);
            CHECK(tcp.verdict.cause == row.cause);
            const auto dns = run("www.example.org",
                fmt::format(R"({{"dns": {{"server": "127.0.0.1", "sourceIpAddress": "{}"}}}})",
                    row.source));
            CHECK(dns.verdict.code == row.code);
            CHECK(dns.verdict.cause == row.cause);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "faults of this probe: what the kernel does not permit")
    {
        // A datagram to a broadcast address, by a socket that has not asked for it.
        const auto report = run_kind(*this, "dns", "127.255.255.255");
        CHECK(report.verdict.code == "connect");
        CHECK(report.verdict.cause == "local_no_permission");
    }
}
