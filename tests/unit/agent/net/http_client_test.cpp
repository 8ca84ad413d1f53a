#include "agent/net/curl_multi.h"
#include "agent/net/http_client.h"
#include "agent/net/http_server.h"
#include "tests/support/loop.h"
#include "tests/support/scripted_server.h"
#include "tests/support/test_ca.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <utility>

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using asio::ip::tcp;

namespace {

constexpr auto end_of_header = "\r\n\r\n";

/// A loop and a client that no environment variable leads astray.
struct Client {
    asio::io_context loop;
    net::CurlMulti curl{loop.get_executor()};

    net::HttpAnswer send(
        net::HttpCall call, const std::string& ca_file = "", const std::string& proxy = "")
    {
        net::HttpClient client{curl, {ca_file, proxy, false}};
        return await(loop, client.send(std::move(call)));
    }

    /// Asks a server that gives one answer on its one connection and closes it.
    net::HttpAnswer ask(const std::string& answer)
    {
        ScriptedServer server{loop, {{{end_of_header, answer}}}};
        return send(get(server));
    }

    /// Stops a server and lets all that it has begun unwind.
    void stop(net::HttpServer& server)
    {
        server.stop();
        loop.restart();
        loop.run_for(5s);
        CHECK(loop.stopped());
    }

    static net::HttpCall get(const ScriptedServer& server, const std::string& path = "/")
    {
        net::HttpCall call;
        call.method = "GET";
        call.url = "http://" + server.address() + path;
        return call;
    }
};

std::string ok(std::string_view body)
{
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

bool contains(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

/// Cancels its own caller when it is asked to, and then never answers.
struct Interrupting {
    asio::io_context& loop;
    asio::cancellation_signal caller{};

    asio::awaitable<net::HttpReply> answer(std::string target)
    {
        if (target == "/interrupt") {
            asio::post(loop, [this] { caller.emit(asio::cancellation_type::terminal); });
            asio::steady_timer never{loop, asio::steady_timer::time_point::max()};
            co_await never.async_wait(asio::use_awaitable);
        }
        net::HttpReply reply{net::http::status::ok, 11};
        reply.body() = "hello";
        co_return reply;
    }
};

asio::awaitable<net::HttpReply> greet(const net::HttpRequest&, const net::HttpPeer&)
{
    net::HttpReply reply{net::http::status::ok, 11};
    reply.body() = "hello";
    co_return reply;
}

}  // namespace

TEST_SUITE("agent/net/http_client")
{
    TEST_CASE_FIXTURE(Client, "status and body are the server's, whatever they are")
    {
        struct {
            std::string answer;
            int status;
            std::string body;
        } const cases[] = {{ok("fine"), 200, "fine"}, {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
            {"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nbad", 400, "bad"},
            {"HTTP/1.1 503 Busy\r\nTransfer-Encoding: "
             "chunked\r\n\r\n3\r\nlat\r\n2\r\ner\r\n0\r\n\r\n",
                503, "later"},
            {"HTTP/1.0 200 OK\r\n\r\nto the end", 200, "to the end"},
            {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, ""},
            {"HTTP/1.1 100 Continue\r\n\r\n" + ok("then"), 200, "then"}};
        for (const auto& each : cases) {
            CAPTURE(each.answer);
            const auto answer = ask(each.answer);
            CHECK(answer.status == each.status);
            CHECK(answer.body == each.body);
            CHECK(answer.error.empty());
        }
    }

    TEST_CASE_FIXTURE(Client, "the request is sent as it was called for")
    {
        ScriptedServer server{loop, {{{"payload", ok("")}}}};
        net::HttpCall call;
        call.url = "http://" + server.address() + "/push?a=b";
        call.headers = {"Content-Type: application/x-protobuf", "X-Scope-OrgID: seven"};
        call.body = std::string{"pay\0load", 8} + "payload";
        call.username = "user";
        call.password = "pass:word";
        CHECK(send(call).status == 200);
        const std::string request = server.received().at(0);
        CAPTURE(request);
        CHECK(request.starts_with("POST /push?a=b HTTP/1.1\r\n"));
        CHECK(contains(request, "\r\nContent-Type: application/x-protobuf\r\n"));
        CHECK(contains(request, "\r\nX-Scope-OrgID: seven\r\n"));
        CHECK(contains(request, "\r\nAuthorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n"));
        CHECK(contains(request, "\r\nUser-Agent: sonde/"));
        CHECK(contains(request, "\r\nContent-Length: 15\r\n"));
        CHECK_FALSE(contains(request, "Expect:"));
        CHECK(request.ends_with(end_of_header + call.body));
    }

    TEST_CASE_FIXTURE(Client, "without a user name nothing is authorised, and GET has no body")
    {
        ScriptedServer server{loop, {{{end_of_header, ok("")}}}};
        net::HttpCall call = get(server);
        call.body = "not for GET";
        CHECK(send(call).status == 200);
        CHECK_FALSE(contains(server.received().at(0), "Authorization"));
        CHECK(server.received().at(0).ends_with(end_of_header));
    }

    TEST_CASE_FIXTURE(Client, "of a large body 64 KiB are kept; the connection is used again")
    {
        ScriptedServer server{
            loop, {{{"/first", ok(std::string(100'000, 'x'))}, {"/second", ok("second")}}}};
        const auto first = send(get(server, "/first"));
        CHECK(first.status == 200);
        CHECK(first.body == std::string(64 * 1024, 'x'));
        CHECK(send(get(server, "/second")).body == "second");
        CHECK(server.received().size() == 1);
    }

    TEST_CASE_FIXTURE(Client, "an answer that breaks off or makes no sense is none")
    {
        const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        struct {
            std::string what;
            ScriptedServer::Step step;
        } const cases[] = {{"closed in the body", {end_of_header, half}},
            {"reset in the body", {end_of_header, half, true}},
            {"closed in a chunk",
                {end_of_header, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal"}},
            {"closed in the header", {end_of_header, "HTTP/1.1 200 OK\r\nContent-"}},
            {"closed before it", {end_of_header, ""}}, {"no HTTP", {end_of_header, "550 no\r\n"}}};
        for (const auto& each : cases) {
            CAPTURE(each.what);
            ScriptedServer server{loop, {{each.step}}};
            const auto answer = send(get(server));
            CHECK(answer.status == 0);
            CHECK(answer.body.empty());
            CHECK_FALSE(answer.error.empty());
            CHECK_FALSE(answer.bad_url);
        }
    }

    TEST_CASE_FIXTURE(Client, "a server that says nothing is given up at the timeout")
    {
        ScriptedServer server{loop,
            {{{.await = end_of_header, .send = "", .hold = true}}, {{end_of_header, ok("next")}}}};
        auto call = get(server);
        call.timeout = 100ms;
        const auto answer = send(call);
        CHECK(answer.status == 0);
        CHECK(contains(answer.error, "timed out"));
        CHECK(send(get(server)).body == "next");  // on another connection
    }

    TEST_CASE_FIXTURE(Client, "a port that nobody listens on refuses")
    {
        const tcp::socket taken{loop, tcp::endpoint{asio::ip::address_v4::loopback(), 0}};
        net::HttpCall call;
        call.url = "http://127.0.0.1:" + std::to_string(taken.local_endpoint().port());
        const auto answer = send(call);
        CHECK(answer.status == 0);
        CHECK(contains(answer.error, "refused"));
        CHECK_FALSE(answer.bad_url);
    }

    TEST_CASE_FIXTURE(Client, "an unusable URL is told apart from a server that does not answer")
    {
        for (const std::string url : {"", "http://", "ftp://127.0.0.1/", "file:///etc/passwd",
                 "http://127.0.0.1:70000/", "http://[::1/"}) {
            CAPTURE(url);
            net::HttpCall call;
            call.url = url;
            const auto answer = send(call);
            CHECK(answer.status == 0);
            CHECK(answer.bad_url);
            CHECK_FALSE(answer.error.empty());
        }
    }

    TEST_CASE_FIXTURE(Client, "a proxy is given the whole URL")
    {
        ScriptedServer proxy{loop, {{{end_of_header, ok("by proxy")}}}};
        net::HttpCall call;
        call.method = "GET";
        call.url = "http://remote.sonde.test/path";
        CHECK(send(call, "", "http://" + proxy.address()).body == "by proxy");
        CHECK(proxy.received().at(0).starts_with("GET http://remote.sonde.test/path HTTP/1.1\r\n"));
    }

    TEST_CASE_FIXTURE(Client, "a server's certificate must come from the CA of the options")
    {
        const TestCa root;
        const TestCa stranger{"Stranger"};
        const ScratchFolder folder;
        const auto good = write(folder, "good", root.issue({.names = {"127.0.0.1"}}));
        const auto misnamed = write(folder, "misnamed", root.issue({.names = {"www.sonde.test"}}));
        const auto expired = write(
            folder, "expired", root.issue({.names = {"127.0.0.1"}, .valid = Validity::expired()}));
        const auto ours = folder.write("ca.pem", root.certificate());
        const auto theirs = folder.write("stranger.pem", stranger.certificate());
        struct {
            std::string what;
            IdentityFiles server;
            std::string ca_file;
            int status;
        } const cases[] = {{"good", good, ours, 200}, {"another CA", good, theirs, 0},
            {"the system's CAs", good, "", 0}, {"no such file", good, folder.path("absent"), 0},
            {"another name", misnamed, ours, 0}, {"expired", expired, ours, 0}};
        for (const auto& each : cases) {
            CAPTURE(each.what);
            net::HttpServer server{loop.get_executor(), greet};
            const auto port = server.listen(
                {"127.0.0.1", 0}, {each.server.certificate_file, each.server.key_file});
            REQUIRE(port.has_value());
            net::HttpCall call;
            call.method = "GET";
            call.url = fmt::format("https://127.0.0.1:{}/", *port);
            const auto answer = send(call, each.ca_file);
            CAPTURE(answer.error);
            CHECK(answer.status == each.status);
            CHECK(answer.body == (each.status == 0 ? "" : "hello"));
            CHECK(answer.error.empty() == (each.status != 0));
            stop(server);
        }
    }

    TEST_CASE_FIXTURE(Client, "a call that is cancelled under way throws, and others go on")
    {
        Interrupting handler{loop};
        net::HttpServer server{loop.get_executor(),
            [&](const auto& request, const auto&) { return handler.answer(request.target()); }};
        const auto port = server.listen({"127.0.0.1", 0});
        REQUIRE(port.has_value());
        net::HttpClient client{curl, {"", "", false}};
        net::HttpCall call;
        call.url = fmt::format("http://127.0.0.1:{}/interrupt", *port);
        std::exception_ptr ended;
        auto done = [&](std::exception_ptr error, const net::HttpAnswer&) {
            ended = error;
            loop.stop();
        };
        asio::co_spawn(
            loop, client.send(call), asio::bind_cancellation_slot(handler.caller.slot(), done));
        loop.run_for(5s);
        REQUIRE(ended);
        CHECK_THROWS_AS(std::rethrow_exception(ended), boost::system::system_error);

        call.url = fmt::format("http://127.0.0.1:{}/", *port);
        CHECK(send(call).body == "hello");
        stop(server);
    }
}
