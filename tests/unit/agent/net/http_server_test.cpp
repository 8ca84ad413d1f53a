#include "tests/unit/agent/net/http_serving.h"

using namespace sonde;
using namespace sonde::tests;
using namespace std::chrono_literals;
using asio::ip::tcp;

TEST_SUITE("agent/net/http_server")
{
    TEST_CASE_FIXTURE(Serving, "what the handler answers goes out: status, header, body")
    {
        RawClient client{loop, start()};
        struct {
            std::string request;
            std::string status;
            std::string body;
        } const cases[] = {{get("/path?q=1"), "200 OK", "[GET /path?q=1  127.0.0.1]"},
            {post("/path", "data"), "200 OK", "[POST /path data 127.0.0.1]"},
            {get("/absent"), "404 Not Found", "[GET /absent  127.0.0.1]"},
            {post("/readonly", ""), "405 Method Not Allowed", "[POST /readonly  127.0.0.1]"}};
        for (const auto& each : cases) {
            CAPTURE(each.request);
            REQUIRE(client.say(each.request));  // all on one connection
            const std::string reply = client.hear("]");
            CHECK(reply.starts_with("HTTP/1.1 " + each.status + "\r\n"));
            CHECK(contains(reply, fmt::format("Content-Length: {}\r\n", each.body.size())));
            CHECK(reply.ends_with("\r\n\r\n" + each.body));
            CHECK(contains(reply, "Allow: GET\r\n") == each.status.starts_with("405"));
        }
    }

    TEST_CASE_FIXTURE(Serving, "requests sent in one go are answered one by one, in order")
    {
        RawClient client{loop, start()};
        REQUIRE(client.say(get("/1") + post("/2", "two") + get("/3", "Connection: close\r\n")));
        const std::string replies = client.hear_all();
        CHECK(client.ended == asio::error::eof);
        const auto first = replies.find("[GET /1 ");
        const auto second = replies.find("[POST /2 two ");
        const auto third = replies.find("[GET /3 ");
        CHECK(first < second);
        CHECK(second < third);
        CHECK(third != std::string::npos);
    }

    TEST_CASE_FIXTURE(Serving, "the connection is kept or closed as the client wants")
    {
        const std::string old = "GET / HTTP/1.0\r\n";
        const std::pair<std::string, bool> cases[] = {{get("/"), true},
            {get("/", "Connection: close\r\n"), false}, {old + "\r\n", false},
            {old + "Connection: keep-alive\r\n\r\n", true}};
        const std::uint16_t port = start();
        for (const auto& [request, kept] : cases) {
            CAPTURE(request);
            RawClient client{loop, port};
            REQUIRE(client.say(request));
            const std::string reply = client.hear("]");
            CHECK(contains(reply, "HTTP/1.1 200 OK"));
            CHECK(contains(reply, "Connection: close") == !kept);
            client.say(get("/again", "Connection: close\r\n"));
            CHECK(contains(client.hear_all(), "/again") == kept);
        }
    }

    TEST_CASE_FIXTURE(Serving, "HEAD is answered without the body")
    {
        RawClient client{loop, start()};
        REQUIRE(client.say("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        const std::string reply = client.hear_all();
        CHECK(contains(reply, "Content-Length: 19\r\n"));
        CHECK(reply.ends_with("\r\n\r\n"));
    }

    TEST_CASE_FIXTURE(Serving, "a body may come in pieces, in chunks, and after 100 Continue")
    {
        RawClient client{loop, start()};
        REQUIRE(
            client.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n"));
        REQUIRE(client.say("abc\r\n2\r\nde\r\n0\r\n\r\n"));
        CHECK(contains(client.hear("]"), "[POST / abcde "));
        REQUIRE(client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                           "Expect: 100-continue\r\n\r\n"));
        CHECK(client.hear("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        REQUIRE(client.say("data"));
        CHECK(contains(client.hear("]"), "[POST / data "));
    }

    TEST_CASE_FIXTURE(Serving, "what is no HTTP is refused and the connection closed")
    {
        limits.header_bytes = 1024;
        limits.complete = [](net::HttpReply& reply) { reply.set("X-Added", "always"); };
        const std::pair<std::string, std::string_view> cases[] = {
            {get("/", "X: " + std::string(2000, 'x') + "\r\n"), "HTTP/1.1 431 "},
            {get("/" + std::string(2000, 'x')), "HTTP/1.1 431 "},
            {"no HTTP at all\r\n\r\n", "HTTP/1.1 400 "},
            {"GET / HTTP/2.0\r\n\r\n", "HTTP/1.1 400 "},
            {get("/", "no colon\r\n"), "HTTP/1.1 400 "},
            {get("/", "Content-Length: x\r\n"), "HTTP/1.1 400 "},
            {get("/", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
                "HTTP/1.1 400 "}};
        const std::uint16_t port = start();
        for (const auto& [request, status] : cases) {
            CAPTURE(request);
            RawClient client{loop, port};
            REQUIRE(client.say(request));
            const std::string reply = client.hear_all();
            CHECK(client.ended == asio::error::eof);
            CHECK(reply.starts_with(status));
            CHECK(contains(reply, "Connection: close\r\n"));
            CHECK(contains(reply, "X-Added: always\r\n"));
        }
    }

    TEST_CASE_FIXTURE(Serving, "a client that goes away in the middle of a request gets no answer")
    {
        const std::uint16_t port = start();
        for (const std::string part :
            {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"}) {
            CAPTURE(part);
            RawClient client{loop, port};
            REQUIRE(client.say(part));
            client.close();
        }
        RawClient client{loop, port};
        REQUIRE(client.say(get("/")));
        CHECK(contains(client.hear("]"), "200 OK"));
    }

    TEST_CASE_FIXTURE(Serving, "a body over the limit is not read, and the client hears of it")
    {
        limits.body_bytes = [](const net::HttpRequest& request) {
            return request.target() == "/bulk" ? std::size_t{100} : std::size_t{10};
        };
        const std::uint16_t port = start();
        const std::string chunked =
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        const std::pair<std::string, std::string_view> cases[] = {
            {post("/", std::string(10, 'x')), "200"}, {post("/", std::string(11, 'x')), "413"},
            {post("/bulk", std::string(100, 'x')), "200"},
            {post("/bulk", std::string(101, 'x')), "413"},
            {chunked + "b\r\nxxxxxxxxxxx\r\n0\r\n\r\n", "413"},
            {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
                "413"}};
        for (const auto& [request, status] : cases) {
            CAPTURE(request);
            RawClient client{loop, port};
            REQUIRE(client.say(request));
            CHECK(client.hear("]").starts_with(fmt::format("HTTP/1.1 {} ", status)));
            client.close();
        }
    }

    TEST_CASE_FIXTURE(
        Serving, "who sends a large body before listening still hears that it is too large")
    {
        limits.body_bytes = [](const net::HttpRequest&) { return std::size_t{10}; };
        RawClient client{loop, start()};
        CHECK(client.say(post("/", std::string(8 << 20, 'x'))));
        CHECK(contains(client.hear_all(), "413 Payload Too Large"));
        CHECK(client.ended == asio::error::eof);  // no reset, which would take the answer away
    }

    TEST_CASE_FIXTURE(Serving, "a client that sends nothing, or not enough, is dropped")
    {
        limits.idle = 200ms;
        const std::uint16_t port = start();
        for (const std::string part : {"", "GET / HTTP/1.1\r\n",
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"}) {
            CAPTURE(part);
            RawClient client{loop, port};
            REQUIRE(client.say(part));
            CHECK(client.hear_all().empty());
        }
        RawClient waiting{loop, port};  // a kept connection, idle after its first request
        REQUIRE(waiting.say(get("/")));
        CHECK(contains(waiting.hear_all(), "200 OK"));
    }

    TEST_CASE_FIXTURE(Serving, "a handler that throws costs its connection, not the server")
    {
        const std::uint16_t port = start();
        RawClient client{loop, port};
        REQUIRE(client.say(get("/throw")));
        CHECK(client.hear_all().empty());
        RawClient other{loop, port};
        REQUIRE(other.say(get("/")));
        CHECK(contains(other.hear("]"), "200 OK"));
    }

    TEST_CASE_FIXTURE(Serving, "stop cancels what is in progress and refuses whatever comes")
    {
        const std::uint16_t port = start();
        RawClient idle{loop, port};
        REQUIRE(idle.say(get("/")));
        CHECK(contains(idle.hear("]"), "200 OK"));
        RawClient client{loop, port};
        on_hang = [this] { server->stop(); };
        REQUIRE(client.say(get("/hang")));
        CHECK(client.hear_all().empty());
        CHECK(unwound);
        CHECK(idle.hear_all().empty());
        tcp::socket late{loop};
        error_code refused;
        late.connect({asio::ip::address_v4::loopback(), port}, refused);
        CHECK(refused == asio::error::connection_refused);
        finish();  // and nothing is left on the loop
    }

    TEST_CASE_FIXTURE(
        Serving, "an address that is taken, or none of ours, is refused with its name")
    {
        const std::uint16_t port = start();
        net::HttpServer second{loop.get_executor(), {}};
        const auto taken = second.listen({"127.0.0.1", port});
        REQUIRE(taken.has_error());
        CHECK(taken.error().reason == "bind");
        CHECK(contains(taken.error().message, fmt::format("127.0.0.1:{}", port)));
        const auto foreign = second.listen({"192.0.2.1", 0});
        REQUIRE(foreign.has_error());
        CHECK(contains(foreign.error().message, "192.0.2.1"));
    }
}
