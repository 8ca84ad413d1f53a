#include "agent/net/tls.h"
#include "tests/support/test_ca.h"
#include "tests/unit/agent/net/http_serving.h"

#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>

#include <filesystem>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

/// The same over TLS, with a certificate that can be changed.
struct ServingTls : Serving {
    TestCa root;
    ScratchFolder folder;
    net::TlsContexts contexts;

    net::HttpTls install(const std::vector<std::string>& names)
    {
        const auto files = write(folder, "server", root.issue({.names = names}));
        touch(files.certificate_file);
        return {files.certificate_file, files.key_file};
    }

    /// Gives a file a time of change of its own: two writes may fall into one tick of the clock.
    void touch(const std::string& file)
    {
        std::filesystem::last_write_time(
            file, std::filesystem::file_time_type::clock::now() + ++touched_ * 1s);
    }

    /// What the server says to one request over TLS; empty when the handshake fails.
    std::string ask(std::uint16_t port, const std::string& name, const std::string& request)
    {
        net::TlsSettings settings;
        settings.ca = root.certificate();
        net::TlsPeer peer;
        peer.name = name;
        const auto context = *contexts.get(settings);
        return await(loop, converse(port, context->connection(peer).release(), request));
    }

private:
    static asio::awaitable<std::string> converse(
        std::uint16_t port, SSL* connection, std::string request)
    {
        tcp::socket socket{co_await asio::this_coro::executor};
        asio::ssl::stream<tcp::socket&> stream{socket, connection};
        const tcp::endpoint server{asio::ip::address_v4::loopback(), port};
        co_await socket.async_connect(server, asio::use_awaitable);
        error_code failed;
        co_await stream.async_handshake(
            asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, failed));
        std::string reply;
        if (failed)
            co_return reply;
        co_await asio::async_write(
            stream, asio::buffer(request), asio::redirect_error(asio::use_awaitable, failed));
        co_await asio::async_read(stream, asio::dynamic_buffer(reply), asio::transfer_all(),
            asio::redirect_error(asio::use_awaitable, failed));
        co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, failed));
        co_return reply;
    }

    int touched_ = 0;
};

}  // namespace

TEST_SUITE("agent/net/http_server")
{
    TEST_CASE_FIXTURE(ServingTls, "over TLS the same is said")
    {
        limits.body_bytes = [](const net::HttpRequest&) { return std::size_t{10}; };
        const std::uint16_t port = start(install({"www.sonde.test"}));
        const std::string close = "Connection: close\r\n";
        CHECK(contains(ask(port, "www.sonde.test", get("/1") + get("/2", close)), "[GET /2 "));
        CHECK(contains(ask(port, "www.sonde.test", post("/", std::string(1 << 20, 'x'))), " 413 "));
        CHECK(ask(port, "ftp.sonde.test", get("/", close)).empty());
        RawClient plain{loop, port};
        REQUIRE(plain.say(get("/")));
        CHECK_FALSE(contains(plain.hear_all(), "200 OK"));
        CHECK(contains(ask(port, "www.sonde.test", get("/3", close)), "[GET /3 "));
    }

    TEST_CASE_FIXTURE(ServingTls, "a changed certificate is used by the next connection")
    {
        const std::uint16_t port = start(install({"old.sonde.test"}));
        const std::string request = get("/", "Connection: close\r\n");
        CHECK(contains(ask(port, "old.sonde.test", request), "200 OK"));
        install({"new.sonde.test"});
        CHECK(contains(ask(port, "new.sonde.test", request), "200 OK"));
        touch(folder.write("server.pem", "no certificate"));
        CHECK(contains(ask(port, "new.sonde.test", request), "200 OK"));  // the last that worked
    }

    TEST_CASE_FIXTURE(
        ServingTls, "certificate and key that cannot be used are refused at the start")
    {
        const auto good = install({"www.sonde.test"});
        const auto other = write(folder, "other", root.issue({.names = {"www.sonde.test"}}));
        const std::string broken = folder.write("broken.pem", "no PEM");
        const net::HttpTls cases[] = {{folder.path("absent"), good.key_file},
            {good.certificate_file, folder.path("absent")}, {broken, good.key_file},
            {good.certificate_file, broken}, {good.certificate_file, other.key_file}};
        net::HttpServer refusing{loop.get_executor(), {}};
        for (const net::HttpTls& tls : cases) {
            CAPTURE(tls.certificate_file);
            CAPTURE(tls.key_file);
            const auto port = refusing.listen({"127.0.0.1", 0}, tls);
            REQUIRE(port.has_error());
            CHECK(port.error().reason == "tls_config");
            const bool named = contains(port.error().message, tls.certificate_file) ||
                               contains(port.error().message, tls.key_file);
            CHECK(named);
        }
    }

    TEST_CASE_FIXTURE(ServingTls, "who does not do the handshake is dropped")
    {
        limits.idle = 50ms;
        RawClient client{loop, start(install({"www.sonde.test"}))};
        CHECK(client.hear_all().empty());
        CHECK(client.ended != error_code{});
    }
}
