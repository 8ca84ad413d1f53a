#include "agent/net/kernel_stamp.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string_view>

using namespace sonde;
using namespace std::chrono_literals;
using net::Bytes;
using Clock = std::chrono::steady_clock;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;

constexpr auto asleep = 40ms;  // of a reader who comes late

/// Lets the time pass: that alone is what these tests are about, and nothing else happens in it.
void come_late(std::chrono::milliseconds by = asleep)
{
    asio::io_context loop;
    asio::steady_timer{loop, by}.wait();
}

/// Stamps are there from some time after they were asked for.
const bool stamping = [] {
    net::keep_stamping();
    return true;
}();

/// Both ends of a TCP connection.
struct Pair {
    asio::io_context loop;
    tcp::acceptor acceptor{loop, {asio::ip::address_v4::loopback(), 0}};
    tcp::socket ours{loop};
    tcp::socket theirs{loop};

    Pair()
    {
        ours.open(tcp::v4());
        net::stamp_received(ours.native_handle());
        ours.connect(acceptor.local_endpoint());
        acceptor.accept(theirs);
    }
    int fd() { return ours.native_handle(); }
    void say(std::string_view text) { asio::write(theirs, asio::buffer(text)); }
};

}  // namespace

TEST_SUITE("net")
{
    TEST_CASE("a datagram tells how long it has lain there")
    {
        asio::io_context loop;
        udp::socket ours{loop, {asio::ip::address_v4::loopback(), 0}};
        net::stamp_received(ours.native_handle());
        const auto began = Clock::now();
        ours.send_to(asio::buffer("news", 4), ours.local_endpoint());
        const auto sent = Clock::now();
        come_late();
        std::array<char, 16> bytes{};
        const auto got = net::receive(ours.native_handle(), bytes);
        CHECK_FALSE(got.error);
        CHECK(std::string_view{bytes.data(), got.size} == "news");
        REQUIRE(got.waited.has_value());
        CHECK(got.late(began) >= asleep - 1ms);
        CHECK(got.arrived(began) >= began);
        CHECK(got.arrived(began) <= sent + 1ms);
        CHECK(net::receive(ours.native_handle(), bytes).error.value() == EAGAIN);
    }

    TEST_CASE("a stream is peeked at without being read")
    {
        Pair pair;
        const auto began = Clock::now();
        pair.say("one");
        come_late();
        pair.say("two");
        const auto first = net::peek(pair.fd(), Bytes::first);
        const auto all = net::peek(pair.fd(), Bytes::all);
        CHECK(first.size == 1);
        CHECK(all.size == 6);
        REQUIRE(first.waited.has_value());
        REQUIRE(all.waited.has_value());
        CHECK(all.arrived(began) >= began + asleep);  // the last bytes
        CHECK(first.arrived(began) <= all.arrived(began) + 1ms);
        std::array<char, 16> bytes{};
        CHECK(net::receive(pair.fd(), bytes).size == 6);
        pair.theirs.close();
        const auto end = net::peek(pair.fd(), Bytes::all);
        CHECK_FALSE(end.error);
        CHECK(end.size == 0);
        CHECK_FALSE(end.waited.has_value());
    }

    TEST_CASE("a stamp that cannot be true is none: the wall clock may have been set")
    {
        const auto since = Clock::now();
        struct Row {
            std::optional<std::chrono::nanoseconds> waited;
            std::chrono::nanoseconds late;
        };
        for (const Row& row : {Row{std::nullopt, 0ns}, {0ns, 0ns}, {3ms, 3ms}, {10ms, 10ms},
                 {10ms + 1ns, 0ns}, {-1ns, 0ns}, {24h, 0ns}, {-24h, 0ns}}) {
            CAPTURE(row.waited.value_or(-1ns).count());
            net::Received got;
            got.seen = since + 10ms;
            got.waited = row.waited;
            CHECK(got.late(since) == row.late);
            CHECK(got.arrived(since) == got.seen - row.late);
        }
    }

    TEST_CASE("a handshake is as long as the kernel says, unless that cannot be")
    {
        Pair pair;
        come_late();
        const auto took = net::handshake_time(pair.fd(), asleep);
        REQUIRE(took.has_value());
        CHECK(*took > 0ns);
        CHECK(*took < asleep / 2);
        CHECK_FALSE(net::handshake_time(pair.fd(), 0ns).has_value());
        CHECK_FALSE(net::handshake_time(-1, 1s).has_value());
    }

    TEST_CASE("what was followed by more, without a word of ours, has kept nobody waiting")
    {
        for (const bool answering : {false, true}) {
            CAPTURE(answering);
            Pair pair;
            net::Arrivals arrivals;
            arrivals.begin(true);
            asio::write(pair.ours, asio::buffer("hello", 5));
            std::array<char, 16> bytes{};
            std::chrono::steady_clock::time_point second{};
            for (int flight = 0; flight < 2; ++flight) {
                second = std::chrono::steady_clock::now();
                pair.say("flight");
                come_late();
                arrivals.look(pair.fd());
                net::receive(pair.fd(), bytes);
                arrivals.handled();
                if (answering)
                    asio::write(pair.ours, asio::buffer("more", 4));
            }
            CHECK(arrivals.late() >= (answering ? 2 * (asleep - 1ms) : asleep - 1ms));
            const auto since_second = std::chrono::steady_clock::now() - second;
            CHECK((answering || arrivals.late() <= since_second));
        }
    }

    TEST_CASE("an answer came when the kernel says, and now if nobody looked")
    {
        for (const bool tls : {false, true})
            for (const bool looked : {false, true}) {
                CAPTURE(tls);
                CAPTURE(looked);
                Pair pair;
                net::Arrivals arrivals;
                arrivals.begin(tls);
                const auto asked = Clock::now();
                pair.say("answer");
                const auto said = Clock::now();
                come_late();
                arrivals.look(pair.fd());
                if (!looked)
                    arrivals.handled();
                const auto answered = arrivals.answered(asked);
                arrivals.end();
                CHECK(answered >= asked);
                CHECK((answered <= said + 1ms) == looked);
                CHECK(arrivals.ended().has_value());
                CHECK(arrivals.ended() >= answered);
                const auto not_later = arrivals.answered(Clock::now() + 1h);
                CHECK(not_later <= Clock::now());
            }
    }

    TEST_CASE("an answer that is read while what led to the question is still handled comes now")
    {
        Pair pair;
        net::Arrivals arrivals;
        arrivals.begin(true);
        pair.say("last flight of a handshake");
        come_late();
        arrivals.look(pair.fd());
        const auto asked = Clock::now();
        come_late(1ms);
        const auto answered = arrivals.answered(asked);
        arrivals.end();
        CHECK(answered >= asked + 1ms);
        CHECK(arrivals.ended() >= answered);
    }

    TEST_CASE("a thread's time without a core only grows")
    {
        const auto before = net::starved();
        CHECK(before >= 0ns);
        come_late(1ms);
        CHECK(net::starved() >= before);
    }
}
