#include "tests/support/echo_target.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/checkers/dns/dns_fixture.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

using namespace sonde;
using namespace std::chrono_literals;
using tests::dns_response;
using tests::DnsMessage;
using tests::DnsRecord;
using tests::value_of;

namespace {

using Messages = std::vector<std::string>;

std::string with_other_id(std::string message)
{
    message[1] = static_cast<char>(message[1] ^ 1);
    return message;
}

/// A message that claims flags and counts of its own.
std::string with_header(std::string message, unsigned flags, std::array<unsigned, 4> counts)
{
    std::string header = message.substr(0, 2) + tests::dns_u16(flags);
    for (const unsigned count : counts)
        header += tests::dns_u16(count);
    return header + message.substr(12);
}

std::string right(std::string_view query)
{
    return dns_response(query, {0, {{}}});
}

std::string of_another_question(std::string_view query)
{
    std::string other = right(query);
    other[13] = static_cast<char>(other[13] ^ 3);  // wwt for www
    return other;
}

std::string of_another_type(std::string_view query)
{
    std::string other = right(query);
    other[query.size() - 3] = 28;
    return other;
}

/// What a server sends instead of a response, and what that is to UDP and TCP (spec 02 §3.4). UDP
/// ignores what may be somebody else's and goes on waiting.
struct Row {
    const char* id;
    std::string (*sends)(std::string_view query);
    std::string_view udp_code;
    std::string_view udp_cause;
    std::string_view tcp_cause;  ///< of dns_response; empty: accepted as over UDP
    std::string_view why = "";   ///< the discard cause in the log
};

constexpr Row rows[] = {
    {"D21: QR = 0", [](std::string_view q) { return with_header(right(q), 0x0100, {1, 1, 0, 0}); },
        "timeout", "request", "mismatch", "not a response to a query"},
    {"opcode 2", [](std::string_view q) { return with_header(right(q), 0x9180, {1, 1, 0, 0}); },
        "timeout", "request", "mismatch", "not a response to a query"},
    {"D22: another name", of_another_question, "timeout", "request", "mismatch",
        "another question"},
    {"another type", of_another_type, "timeout", "request", "mismatch", "another question"},
    {"D23, D25: another id", [](std::string_view q) { return with_other_id(right(q)); }, "timeout",
        "request", "mismatch", "another id"},
    {"D27: four bytes", [](std::string_view q) { return right(q).substr(0, 4); }, "timeout",
        "request", "malformed", "shorter than a header"},
    {"D26: a header only",
        [](std::string_view q) {
            return with_header(right(q).substr(0, 12), 0x8185, {1, 0, 0, 0});
        },
        "dns_rcode", "refused", ""},
    {"no question, but a record",
        [](std::string_view q) {
            return with_header(right(q).substr(0, 12) + DnsRecord{}.wire(), 0x8180, {0, 1, 0, 0});
        },
        "", "", ""},
    {"a record less than counted",
        [](std::string_view q) { return with_header(right(q), 0x8180, {1, 2, 3, 4}); }, "", "", ""},
    {"bytes after the last record", [](std::string_view q) { return right(q) + "\1\2\3"; }, "", "",
        ""},
    {"other letter case in the question",
        [](std::string_view q) {
            std::string shouted = right(q);
            shouted[13] = 'W';
            return shouted;
        },
        "", "", ""},
    {"a record cut in the middle",
        [](std::string_view q) { return right(q).substr(0, right(q).size() - 1); }, "dns_response",
        "malformed", "malformed"},
    {"a question cut in the middle", [](std::string_view q) { return right(q).substr(0, 20); },
        "dns_response", "malformed", "malformed"},
    {"a pointer that leads to itself",
        [](std::string_view q) {
            const std::string loop = "\xc0" + std::string(1, static_cast<char>(q.size()));
            return with_header(right(q).substr(0, q.size()) + loop + DnsRecord{}.wire().substr(17),
                0x8180, {1, 1, 0, 0});
        },
        "dns_response", "malformed", "malformed"},
    {"an A record of three bytes",
        [](std::string_view q) {
            return dns_response(q, {0, {{"www.example.org", 1, 300, "abc"}}});
        },
        "dns_response", "malformed", "malformed"},
};

/// Four records, 900 bytes and more: beyond the 512 of old (DEV-14).
DnsMessage large()
{
    const DnsRecord text{"www.example.org", 16, 300, tests::dns_string(std::string(200, 'x'))};
    return {0, {text, text, text, text}};
}

/// A name server behind a router that says "host unreachable, administratively prohibited" (RFC
/// 1122 §3.2.2.1) to each datagram; the softer codes do not end a connected socket of UDP.
class Unreachable {
public:
    explicit Unreachable(tests::asio::io_context& loop)
        : socket_{loop, {tests::asio::ip::address_v4::loopback(), 0}},
          icmp_{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)}
    {
        socket_.async_receive_from(
            tests::asio::buffer(query_), from_, [this](const auto& failed, std::size_t size) {
                if (!failed)
                    refuse(size);
            });
    }
    ~Unreachable() { ::close(icmp_); }
    Unreachable(const Unreachable&) = delete;
    Unreachable& operator=(const Unreachable&) = delete;

    bool ready() const { return icmp_ >= 0; }
    std::uint16_t port() const { return socket_.local_endpoint().port(); }

private:
    void refuse(std::size_t size)
    {
        const std::string here{"\x7f\0\0\1", 4};
        const auto length = static_cast<unsigned>(size) + 8;
        std::string about(4, '\0');  // then the datagram with its IP header, without options
        about += std::string{"\x45\0", 2} + tests::dns_u16(length + 20) +
                 std::string{"\0\0\0\0\x40\x11\0\0", 8} + here + here;
        about += tests::dns_u16(from_.port()) + tests::dns_u16(port()) + tests::dns_u16(length) +
                 std::string(2, '\0');
        const std::string message = tests::icmp_message(3, 10, about);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::sendto(icmp_, message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to),
            sizeof to);
    }

    tests::asio::ip::udp::socket socket_;
    tests::asio::ip::udp::endpoint from_;
    std::array<char, 512> query_{};
    int icmp_;
};

}  // namespace

TEST_SUITE("checkers/dns")
{
    TEST_CASE_FIXTURE(tests::DnsFixture, "what may be taken for a response, UDP")
    {
        for (const Row& row : rows) {
            CAPTURE(row.id);
            serve([&](std::string_view query) { return Messages{row.sends(query)}; });
            const bool waits = row.udp_code == "timeout";
            const auto report = ask("UDP", "", waits ? 150ms : 3s);
            CHECK(report.verdict.code == row.udp_code);
            CHECK(report.verdict.cause == row.udp_cause);
            const bool accepted = row.udp_code.empty() || row.udp_code == "dns_rcode";
            CHECK(value_of(report, "probe_dns_query_succeeded") == (accepted ? 1 : 0));
            CHECK(value_of(report, "probe_dns_duration_seconds", {"request"}) > 0);
            CHECK(tests::field_of(report, "why") == row.why);
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "what may be taken for a response, TCP")
    {
        for (const Row& row : rows) {
            CAPTURE(row.id);
            serve([&](std::string_view query) { return Messages{row.sends(query)}; });
            const auto report = ask("TCP");
            const bool refused = !row.tcp_cause.empty();
            CHECK(report.verdict.code == (refused ? "dns_response" : row.udp_code));
            CHECK(report.verdict.cause == (refused ? row.tcp_cause : row.udp_cause));
            CHECK(value_of(report, "probe_dns_query_succeeded") == (refused ? 0 : 1));
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D24: after foreign datagrams the right one is taken")
    {
        serve([](std::string_view query) {
            return Messages{"short", with_other_id(right(query)), of_another_question(query),
                std::string{query}, right(query)};
        });
        const auto report = ask("UDP");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_dns_answer_rrs") == 1);
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a flood of foreign datagrams does not flood the log")
    {
        serve([](std::string_view query) {
            Messages flood;
            for (int i = 0; i < 100; ++i)
                flood.insert(flood.end(), {"short", of_another_question(query)});
            flood.push_back(right(query));
            return flood;
        });
        const auto report = ask("UDP");
        CHECK(report.verdict.message == "");
        const auto lines = tests::lines_of(report);
        CHECK(std::count(lines.begin(), lines.end(), "info Ignored a datagram") == 20);
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D18: a truncated response is told, and judged as it is")
    {
        say({0, {}, {}, {}, 0x8380});
        const auto report = ask("UDP");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_dns_answer_rrs") == 0);
        CHECK(value_of(report, "probe_dns_reply_truncated") == 1);
        const auto lines = tests::lines_of(report);
        CHECK(std::find(lines.begin(), lines.end(), "warn Response was truncated") != lines.end());
        CHECK(server->received().size() == 1);  // never asked again over TCP
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D19, D20: a large answer, UDP and TCP")
    {
        for (const std::string_view protocol : {"UDP", "TCP"}) {
            CAPTURE(protocol);
            say(large());
            const auto report = ask(protocol);
            CHECK(report.verdict.message == "");
            CHECK(value_of(report, "probe_dns_answer_rrs") == 4);
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D28, D29: nothing listens on the port")
    {
        const auto udp = ask_port(1, "UDP");
        CHECK(udp.verdict.code == "connect");
        CHECK(udp.verdict.cause == "refused");
        CHECK(tests::field_of(udp, "address") == "127.0.0.1:1");
        CHECK(value_of(udp, "probe_dns_duration_seconds", {"request"}) > 0);
        const auto tcp = ask_port(1, "TCP");
        CHECK(tcp.verdict.code == "connect");
        CHECK(tcp.verdict.cause == "refused");
        CHECK(value_of(tcp, "probe_dns_duration_seconds", {"connect"}) > 0);
        CHECK(value_of(tcp, "probe_dns_duration_seconds", {"request"}) == 0);
        CHECK(value_of(tcp, "probe_dns_query_succeeded") == 0);
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a TCP stream that ends: closed, in the middle, reset")
    {
        struct Ending {
            tests::ScriptedServer::Step step;
            std::string_view cause;
        };
        const Ending endings[] = {{{"example", ""}, "closed"}, {{"example", "\x01"}, "closed"},
            {{"example", std::string{"\0\x40half", 6}}, "closed"},
            {{"example", "", true}, "reset"}};
        for (const Ending& ending : endings) {
            tests::ScriptedServer stream{loop, {{ending.step}}};
            const auto report = ask_port(stream.port(), "TCP");
            CHECK(report.verdict.code == "dns_response");
            CHECK(report.verdict.cause == ending.cause);
            loop.restart();
            loop.poll();  // the server sees the end, too, while it is there
        }
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a router that says the host cannot be reached")
    {
        Unreachable router{loop};
        if (!router.ready()) {
            MESSAGE("not run: needs CAP_NET_RAW");
            return;
        }
        const auto report = ask_port(router.port(), "UDP");
        CHECK(report.verdict.code == "dns_response");
        CHECK(report.verdict.cause == "unreachable");
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "a silent server fails at the deadline")
    {
        for (const std::string_view protocol : {"UDP", "TCP"}) {
            serve([](std::string_view) { return Messages{}; });
            const auto report = ask(protocol, "", 150ms);
            CHECK(report.verdict.code == "timeout");
            CHECK(report.verdict.cause == "request");
            CHECK(tests::field_of(report, "phase") == "request");
            CHECK(value_of(report, "probe_dns_duration_seconds", {"request"}) > 0.1);
        }
    }
}
