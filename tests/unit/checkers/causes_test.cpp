// Causes of spec 02 §1.10, made in earnest: hosts that the network cannot reach, and a probe that
// has run out of ports or descriptors.
#include "tests/support/host_limits.h"
#include "tests/support/http_rows.h"
#include "tests/support/unreachable_net.h"

#include <doctest/doctest.h>

#include <fstream>
#include <list>

using namespace sonde;
using namespace std::chrono_literals;
using boost::asio::ip::tcp;

namespace {

struct Probe {
    std::string_view kind;
    std::string target;
    std::string settings;
};

/// A check of each kind that connects, to `address`.
std::vector<Probe> probes_of(const std::string& address)
{
    return {{"tcp", address + ":80", R"({"tcp": {}})"},
        {"http", "http://" + address + "/", R"({"http": {}})"},
        {"https", "https://" + address + "/", R"({"http": {}})"},
        {"dns", "www.example.org",
            fmt::format(R"({{"dns": {{"server": "{}", "protocol": "TCP"}}}})", address)}};
}

void check_local(const checkers::Report& report, std::string_view cause)
{
    CAPTURE(report.verdict.message);
    CHECK(report.verdict.code == "connect");
    CHECK(report.verdict.cause == cause);
    CHECK(report.verdict.message.find("this probe") != std::string::npos);
}

}  // namespace

TEST_SUITE("checkers/causes")
{
    TEST_CASE_FIXTURE(tests::RunFixture, "a router says that the host, or its net, is not there")
    {
        const tests::PrivateNetwork network;
        if (!network.ready()) {
            MESSAGE("not run: needs CAP_SYS_ADMIN");
            return;
        }
        tests::UnreachableNet router{loop};
        if (!router.ready()) {
            MESSAGE("not run: needs CAP_NET_ADMIN and /dev/net/tun");
            return;
        }
        for (const auto answer : {tests::UnreachableNet::host, tests::UnreachableNet::net}) {
            router.say(answer);
            for (const Probe& probe : probes_of(tests::UnreachableNet::target())) {
                CAPTURE(probe.kind);
                const auto report = run(probe.target, probe.settings);
                CAPTURE(report.verdict.message);
                CHECK(report.verdict.code == "connect");
                CHECK(report.verdict.cause == "unreachable");
                CHECK(report.verdict.message.find("this probe") == std::string::npos);
            }
        }
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "a proxy that the network cannot reach is the proxy's fault")
    {
        const tests::PrivateNetwork network;
        tests::UnreachableNet router{loop};
        if (!network.ready() || !router.ready()) {
            MESSAGE("not run: needs CAP_SYS_ADMIN, CAP_NET_ADMIN and /dev/net/tun");
            return;
        }
        const auto report =
            run("http://shop.test/", fmt::format(R"({{"http": {{"proxyURL": "http://{}:3128"}}}})",
                                         tests::UnreachableNet::target()));
        CHECK(report.verdict.code == "http_request");
        CHECK(report.verdict.cause == "proxy_unreachable");
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "all local ports are in use: this probe's trouble")
    {
        const tests::PrivateNetwork network;
        if (!network.ready()) {
            MESSAGE("not run: needs CAP_SYS_ADMIN");
            return;
        }
        std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "40000 40001";
        std::list<tcp::socket> taken;
        for (const std::uint16_t port : {40000, 40001})
            taken.emplace_back(loop, tcp::endpoint{tcp::v4(), port});
        for (const Probe& probe : probes_of("127.0.0.1")) {
            CAPTURE(probe.kind);
            check_local(run(probe.target, probe.settings), "local_exhausted");
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "no descriptor is left: this probe's trouble")
    {
        for (const Probe& probe : probes_of("127.0.0.1")) {
            CAPTURE(probe.kind);
            // Once before: what is opened at the first use is open.
            CHECK(run(probe.target, probe.settings).verdict.cause != "local_exhausted");
            loop.restart();
            loop.poll();
            const auto report = [&] {  // checked afterwards: UBSan may want a descriptor then
                const tests::NoDescriptors none;
                return run(probe.target, probe.settings);
            }();
            check_local(report, "local_exhausted");
        }
    }
}
