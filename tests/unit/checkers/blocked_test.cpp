// checkers.blocked_nets (spec 07): what a check may connect to, by the address it would really use.
#include "checkers/blocked.h"
#include "tests/support/fake_dns.h"
#include "tests/support/http_rows.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::chrono_literals;
using Type = tests::FakeDns::Type;

namespace {

std::vector<IpNetwork> nets(std::initializer_list<std::string_view> texts)
{
    std::vector<IpNetwork> out;
    for (const auto text : texts)
        out.push_back(IpNetwork::parse(text).value());
    return out;
}

/// A probe that may talk to the net of 127.0.0.1, but not to 127.9.0.0/16 and ::1.
struct BlockedFixture : tests::HttpFixture {
    tests::FakeDns dns{loop};
    tests::ScratchFolder folder;

    BlockedFixture()
    {
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "127.9.0.1 inner.sonde.test\n");
        files.resolv_conf = folder.write("resolv.conf", "nameserver 127.0.0.1\n");
        files.port = dns.port();
        resolve_with(files);
        options.blocked_nets = nets({"127.9.0.0/16", "::1/128"});
    }
};

void check_refused(const checkers::Report& report, std::string_view code, std::string_view address)
{
    CHECK(report.verdict.code == code);
    CHECK(report.verdict.cause == "local_no_permission");
    CHECK(report.verdict.message.find("checkers.blocked_nets") != std::string::npos);
    CHECK(report.verdict.message.find(address) != std::string::npos);
    CHECK(tests::reasons_of(report) == code);
}

}  // namespace

TEST_SUITE("checkers/blocked")
{
    TEST_CASE("addresses and the nets that forbid them")
    {
        config::CheckersConfig options;
        options.blocked_nets = nets({"10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1"});
        const std::pair<const char*, const char*> rows[] = {{"10.255.0.1", "10.0.0.0/8"},
            {"11.0.0.1", ""}, {"::ffff:10.0.0.1", "10.0.0.0/8"}, {"fd12::1", "fd00::/8"},
            {"fe80::1", ""}, {"0.0.0.0", "127.0.0.0/8"}, {"::", "::1/128"}, {"192.0.2.1", ""}};
        for (const auto& [address, net] : rows) {
            CAPTURE(address);
            const auto* const by =
                checkers::blocking(options, tests::asio::ip::make_address(address));
            CHECK((by ? by->text() : "") == net);
        }
        options.blocked_nets.clear();
        CHECK(checkers::blocking(options, tests::asio::ip::make_address("10.0.0.1")) == nullptr);
    }

    TEST_CASE_FIXTURE(BlockedFixture, "every kind, by address and by name; nothing is sent")
    {
        for (const std::string host : {"127.9.0.1", "inner.sonde.test"}) {
            CAPTURE(host);
            check_refused(run(host + ":80", R"({"tcp": {}})"), "connect", "127.9.0.1:80");
            check_refused(run(host, R"({"ping": {}})"), "icmp_send", "127.9.0.1");
            check_refused(
                run("http://" + host + ":8080/", R"({"http": {}})"), "connect", "127.9.0.1:8080");
            for (const std::string_view protocol : {"UDP", "TCP"})
                check_refused(
                    run("www.example.org", fmt::format(R"({{"dns": {{"server": "{}", "port": 5300,
                                      "protocol": "{}"}}}})",
                                               host, protocol)),
                    "connect", "127.9.0.1:5300");
        }
        check_refused(run("[::1]:80", R"({"tcp": {}})"), "connect", "[::1]:80");
        check_refused(run("[::]:80", R"({"tcp": {}})"), "connect", "[::]:80");
    }

    TEST_CASE_FIXTURE(BlockedFixture, "a blocked first hop has the series of one that was refused")
    {
        const auto report = run("http://127.9.0.1/", R"({"http": {}})");
        tests::check_series(report, "resolve>0 connect=0 tls=0 processing=0 transfer=0 status=0");
    }

    TEST_CASE_FIXTURE(BlockedFixture, "a redirect does not lead into a blocked net")
    {
        const auto& at = serve({tests::moved(302, "http://inner.sonde.test:{port}/secret")});
        const auto report = ask("http://" + at.address());
        check_refused(report, "connect", "127.9.0.1");
        CHECK(at.received().size() == 1);
        tests::check_series(report, "status=0 redirects=1");
    }

    TEST_CASE_FIXTURE(BlockedFixture, "the address is asked for, not the name: it may change")
    {
        auto& at = serve({tests::ok()});
        const auto target = "http://moving.sonde.test:" + std::to_string(at.port());
        dns.set("moving.sonde.test", Type::a, {.addresses = {"127.0.0.1"}});
        CHECK(ask(target).verdict.code == "");
        dns.set("moving.sonde.test", Type::a, {.addresses = {"127.9.0.1"}});
        check_refused(ask(target), "connect", "127.9.0.1");
        CHECK(at.received().size() == 1);
    }

    TEST_CASE_FIXTURE(BlockedFixture, "behind a proxy it is the proxy that is connected to")
    {
        auto& proxy = serve({tests::ok()});
        const auto through = [](const std::string& url) {
            return fmt::format(R"("proxyURL": "{}")", url);
        };
        CHECK(ask("http://shop.test/", through("http://" + proxy.address())).verdict.code == "");
        check_refused(ask("http://shop.test/", through("http://inner.sonde.test:3128")),
            "http_request", "127.9.0.1:3128");
    }
}
