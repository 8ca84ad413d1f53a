// Spec 02 §2.5, and the rows H79, H80, H95 and H96 of §7.1.
#include "agent/base/text.h"
#include "agent/net/http_client.h"
#include "tests/support/http_rows.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/tls_server.h"
#include "tests/support/tunnel_proxy.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::check_series;
using tests::end_of_head;
using tests::has;
using tests::HttpFixture;
using tests::TunnelProxy;

namespace {

struct ProxyFixture : HttpFixture {
    tests::TestCa authority;

    static std::string through(const std::string& proxy, const std::string& more = "")
    {
        return fmt::format(R"("proxyURL": "{}"{}{})", proxy, more.empty() ? "" : ", ", more);
    }
    std::string trusting(const std::string& more = "") const
    {
        return fmt::format(R"("tlsConfig": {{"caCert": "{}"{}{}}})",
            text::base64(authority.certificate()), more.empty() ? "" : ", ", more);
    }
    tests::TlsOptions as(std::vector<std::string> names) const
    {
        return {.identity = authority.issue({.names = std::move(names)})};
    }
};

}  // namespace

TEST_SUITE("checkers/http/proxy")
{
    TEST_CASE_FIXTURE(ProxyFixture, "H80: CONNECT with host and port, TLS with the target inside")
    {
        tests::TlsServer target{loop, as({"shop.test"}), {{end_of_head, tests::ok("hello")}}};
        TunnelProxy proxy{loop, target.port()};
        const auto report = ask(fmt::format("https://shop.test:{}/a?b", target.port()),
            through(proxy.url(), trusting()));
        CHECK(report.verdict.code == "");
        CHECK(proxy.asked().front().starts_with(fmt::format(
            "CONNECT shop.test:{0} HTTP/1.1\r\nHost: shop.test:{0}\r\n", target.port())));
        CHECK(target.asked_for() == "shop.test");
        CHECK(target.received().starts_with("GET /a?b HTTP/1.1\r\n"));
        check_series(report, "status=200 ssl=1 resolve=- connect>0 tls>0 processing>0 transfer");
        CHECK_FALSE(has(report, "probe_dns_lookup_time_seconds"));
        CHECK_FALSE(has(report, "probe_ip_protocol"));
        CHECK_FALSE(has(report, "probe_ip_addr_hash"));
    }

    TEST_CASE_FIXTURE(ProxyFixture, "the tunnel goes to the host, serverName is for TLS alone")
    {
        tests::TlsServer target{loop, as({"inner.test"}), {{end_of_head, tests::ok()}}};
        TunnelProxy proxy{loop, target.port()};
        const auto report = ask(
            "https://shop.test/", through(proxy.url(), trusting(R"("serverName": "inner.test")")));
        CHECK(report.verdict.code == "");
        CHECK(proxy.asked().front().starts_with("CONNECT shop.test:443 "));
        CHECK(target.asked_for() == "inner.test");
        CHECK(target.received().find("\r\nHost: shop.test\r\n") != std::string::npos);
    }

    TEST_CASE_FIXTURE(ProxyFixture, "H79: a refused CONNECT is no response of the target")
    {
        TunnelProxy proxy{loop, 1, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"};
        const auto report = ask("https://shop.test/", through(proxy.url()));
        CHECK(report.verdict.code == "http_request");
        CHECK(report.verdict.cause == "proxy_refused");
        CHECK(report.verdict.message.find("403") != std::string::npos);
        check_series(report, "status=0 ssl=0 resolve=- tls=0 processing=0 transfer=0");
    }

    TEST_CASE_FIXTURE(ProxyFixture, "any answer to CONNECT but 200 is a refusal")
    {
        tests::TlsServer target{loop, as({"shop.test"}), {{end_of_head, tests::ok()}}};
        TunnelProxy proxy{loop, target.port(), "HTTP/1.1 204 No Content\r\n\r\n"};
        const auto report = ask("https://shop.test/", through(proxy.url(), trusting()));
        CHECK(report.verdict.code == "http_request");
        CHECK(report.verdict.cause == "proxy_refused");
        CHECK(target.received().empty());
    }

    TEST_CASE_FIXTURE(ProxyFixture, "H96: http targets are asked for in absolute form")
    {
        auto& proxy = serve({tests::ok("hi")});
        const auto report = ask("http://shop.test/a/../b?c#d",
            through("http://" + proxy.address(), R"("headers": ["Host: vh.example"])"));
        CHECK(report.verdict.code == "");
        const std::string& got = proxy.received().front();
        CHECK(got.starts_with("GET http://vh.example/a/../b?c HTTP/1.1\r\n"));
        CHECK(got.find("\r\nHost: vh.example\r\n") != std::string::npos);
        CHECK(text::lower(got).find("proxy-connection") == std::string::npos);
        check_series(report, "status=200 ssl=0 resolve=- connect>0 tls=0 processing>0");

        const auto plain = ask("http://shop.test:81/", through("http://" + proxy.address()));
        CHECK(plain.verdict.code == "");
        CHECK(proxy.received().back().starts_with("GET http://shop.test:81/ HTTP/1.1\r\n"));
    }

    TEST_CASE_FIXTURE(ProxyFixture, "H95: an https proxy is verified by its own name")
    {
        tests::TlsServer proxy{loop, as({"127.0.0.1"}), {{end_of_head, tests::ok("hi")}}};
        const std::string url = fmt::format("https://127.0.0.1:{}", proxy.port());
        const auto report =
            ask("http://shop.test/", through(url, trusting(R"("serverName": "elsewhere.test")")));
        CHECK(report.verdict.code == "");
        CHECK(proxy.received().starts_with("GET http://shop.test/ HTTP/1.1\r\n"));
        check_series(report, "status=200 ssl=0 tls=0 resolve=-");

        tests::TlsServer other{loop, as({"other.test"}), {{end_of_head, tests::ok("hi")}}};
        const auto refused = ask("http://shop.test/",
            through(fmt::format("https://127.0.0.1:{}", other.port()), trusting()));
        CHECK(refused.verdict.code == "http_request");
        CHECK(refused.verdict.cause == "proxy_unreachable");
    }

    TEST_CASE_FIXTURE(ProxyFixture, "a proxy is asked for by name; its address stays in the run")
    {
        const tests::ScratchFolder folder;
        net::ResolverFiles files;
        files.hosts = folder.write("hosts", "127.0.0.1 proxy.test\n");
        resolve_with(files);
        tests::TlsServer proxy{loop, as({"proxy.test"}), {{end_of_head, tests::ok("hi")}}};
        const std::string authority_text = fmt::format("proxy.test:{}", proxy.port());
        const auto report =
            ask("http://shop.test/", through("https://" + authority_text, trusting()));
        CHECK(report.verdict.message == "");
        CHECK(proxy.asked_for() == "proxy.test");

        net::HttpClient client{curl, {"", "", false}};
        net::HttpCall call;
        call.url = "http://" + authority_text;
        call.timeout = std::chrono::seconds{1};
        const auto answer = tests::await(loop, client.send(std::move(call)));
        CAPTURE(answer.error);
        CHECK(answer.error.find("esolv") != std::string::npos);
    }

    TEST_CASE_FIXTURE(ProxyFixture, "credentials of the proxy go to the proxy alone")
    {
        tests::TlsServer target{loop, as({"shop.test"}), {{end_of_head, tests::ok()}}};
        TunnelProxy proxy{loop, target.port()};
        const std::string with_user =
            fmt::format("http://us%65r:p%40ss@127.0.0.1:{}", proxy.port());
        const auto report = ask("https://shop.test/",
            through(with_user,
                trusting() + R"(, "proxyConnectHeaders": ["X-A: 1", "x-a: 2", "X-Empty:"])"));
        CHECK(report.verdict.code == "");
        const std::string& head = proxy.asked().front();
        CHECK(head.find("\r\nProxy-Authorization: Basic " + text::base64("user:p@ss") + "\r\n") !=
              std::string::npos);
        CHECK(head.find("\r\nx-a: 2\r\n") != std::string::npos);
        CHECK(head.find("X-A: 1") == std::string::npos);
        CHECK(head.find("\r\nX-Empty:\r\n") != std::string::npos);
        CHECK(head.find("x-sm-id") == std::string::npos);
        const std::string inside = text::lower(target.received());
        CHECK(inside.find("proxy-") == std::string::npos);
        CHECK(inside.find("x-a:") == std::string::npos);
        for (const auto& entry : report.log)
            for (const auto& field : entry.fields)
                CHECK(field.value.find("p@ss") == std::string::npos);
    }

    TEST_CASE_FIXTURE(ProxyFixture, "proxyConnectHeaders stay out of requests that are no CONNECT")
    {
        auto& proxy = serve({tests::ok()});
        ask("http://shop.test/",
            through("http://u:p@" + proxy.address(), R"("proxyConnectHeaders": ["X-A: 1"])"));
        CHECK(proxy.received().front().find("X-A") == std::string::npos);
        CHECK(
            proxy.received().front().find("\r\nProxy-Authorization: Basic ") != std::string::npos);
    }

    TEST_CASE_FIXTURE(ProxyFixture, "a proxy that is not there")
    {
        const auto refused = ask("http://shop.test/", through("http://" + refusing_address()));
        CHECK(refused.verdict.code == "http_request");
        CHECK(refused.verdict.cause == "proxy_unreachable");
        check_series(refused, "status=0 connect=0 processing=0 resolve=-");

        const auto unknown = ask("http://shop.test/", through("http://no.such.invalid"));
        CHECK(unknown.verdict.code == "http_request");
        CHECK(unknown.verdict.cause.starts_with("local_") !=
              (unknown.verdict.cause == "proxy_unreachable"));
        check_series(unknown, "status=0 connect=0 resolve=-");
    }

    TEST_CASE_FIXTURE(ProxyFixture, "a silent proxy: the deadline comes in phase proxy")
    {
        auto& proxy =
            serve(std::vector<HttpFixture::Script>{{{.await = end_of_head, .hold = true}}});
        const auto report = ask("https://shop.test/", through("http://" + proxy.address()),
            std::chrono::milliseconds{300});
        CHECK(report.verdict.code == "timeout");
        CHECK(report.verdict.cause == "proxy");
    }

    TEST_CASE_FIXTURE(ProxyFixture, "redirects go through the proxy, too, and make resolve exist")
    {
        auto& proxy = serve({tests::moved(302, "http://other.test/x"), tests::ok("there")});
        const auto report = ask("http://shop.test/", through("http://" + proxy.address()));
        CHECK(report.verdict.code == "");
        REQUIRE(proxy.received().size() == 2);
        CHECK(proxy.received()[1].starts_with("GET http://other.test/x HTTP/1.1\r\n"));
        check_series(report, "status=200 redirects=1 resolve=0");
    }

    TEST_CASE("settings that are no proxy are refused by name, without their password")
    {
        const auto why = [](std::string_view members) {
            pb::Check check;
            check.set_target("http://shop.test/");
            const auto read = config::read_json(
                fmt::format(R"({{"http": {{{}}}}})", members), *check.mutable_settings());
            REQUIRE(read.has_value());
            const auto problems = checkers::validate(check);
            return problems.empty() ? std::string{} : problems.front().message;
        };
        CHECK(why(R"("proxyURL": "http://u:p@p.example.net:3128")") == "");
        CHECK(why(R"("proxyURL": "https://[::1]:3128")") == "");
        for (const char* bad : {"socks5://p.example.net", "ftp://u:secret@p.example.net",
                 "p.example.net:3128", "http://", "http://u:secret@p.example.net:99999"}) {
            const auto said = why(fmt::format(R"("proxyURL": "{}")", bad));
            CAPTURE(bad);
            CHECK(said.starts_with("settings.http.proxyURL: "));
            CHECK(said.find("secret") == std::string::npos);
        }
        CHECK(why(R"("proxyConnectHeaders": ["A: b"])") ==
              "settings.http.proxyConnectHeaders: needs proxyURL");
        CHECK(why(R"("proxyURL": "http://p.example.net", "proxyConnectHeaders": ["nothing"])") ==
              "settings.http.proxyConnectHeaders[0]: is not \"Name: value\"");
    }
}
