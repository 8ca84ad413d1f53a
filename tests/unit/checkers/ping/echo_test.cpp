#include "checkers/ping/echo.h"

#include <doctest/doctest.h>

using namespace sonde::checkers;
using namespace std::chrono_literals;

namespace {

const std::string token = "0123456789abcdef";

}  // namespace

TEST_SUITE("checkers/ping")
{
    TEST_CASE("the data of a request: time, token, filling; the token alone when there is no room")
    {
        using ping::payload;
        const std::chrono::nanoseconds time{0x0102030405060708};
        CHECK(payload(24, token, time) == "\1\2\3\4\5\6\7\x08" + token);
        CHECK(payload(26, token, time) == "\1\2\3\4\5\6\7\x08" + token + "\1\1");
        CHECK(payload(23, token, time) == token + "0123456");
        CHECK(payload(4, token, time) == "0123");
        CHECK(payload(0, token, time) == "");
    }

    TEST_CASE("messages: type, checksum, identifier, sequence")
    {
        const std::string v4 = ping::request(false, 0x1234, 5, "abc");
        CHECK(v4.substr(0, 2) == std::string{"\x08\0", 2});
        CHECK(v4.substr(4) == std::string{"\x12\x34\0\5"
                                          "abc",
                                  7});
        CHECK(ping::checksum(v4) == 0);  // as the receiver sees it
        const std::string v6 = ping::request(true, 0x1234, 5, "abc");
        CHECK(v6.substr(0, 4) == std::string{"\x80\0\0\0", 4});  // the kernel's sum
        CHECK(
            ping::checksum(std::string{"\0\1\xf2\3\xf4\xf5\xf6\xf7", 8}) == 0x220d);  // RFC 1071 §3
    }

    TEST_CASE("which messages are echo replies")
    {
        struct Row {
            bool v6;
            int type;
            int code;
            std::size_t size;
            bool reply;
        };
        constexpr Row rows[] = {{false, 0, 0, 8, true}, {false, 0, 1, 8, false},
            {false, 8, 0, 8, false}, {false, 3, 1, 36, false}, {false, 11, 0, 36, false},
            {false, 129, 0, 8, false}, {false, 0, 0, 7, false}, {true, 129, 0, 8, true},
            {true, 128, 0, 8, false}, {true, 1, 0, 40, false}, {true, 0, 0, 8, false}};
        for (const Row& row : rows) {
            std::string message(row.size, '\1');
            message[0] = static_cast<char>(row.type);
            message[1] = static_cast<char>(row.code);
            const auto reply = ping::parse_reply(row.v6, message);
            CHECK(reply.has_value() == row.reply);
            if (reply)
                CHECK(reply->sequence == 0x0101);
        }
    }

    TEST_CASE("P8, P15: which data are ours")
    {
        struct Row {
            std::string data;
            std::size_t size;
            bool ours;
        };
        const std::string whole = ping::payload(30, token, 1s);
        const Row rows[] = {{whole, 30, true}, {ping::payload(30, token, 2s), 30, true},
            {whole + '\1', 30, false}, {whole.substr(0, 29), 30, false},
            {ping::payload(30, "another token!!!", 1s), 30, false}, {"0123", 4, true},
            {"0124", 4, false}, {"012", 4, false}, {"", 0, true}};
        for (const Row& row : rows)
            CHECK(ping::is_ours(row.data, row.size, token) == row.ours);
    }

    TEST_CASE("P16: a wall clock that is set leaves the round trip sane")
    {
        CHECK(ping::round_trip(5ms, 2ms) == 3ms);
        CHECK(ping::round_trip(5ms, 0ms) == 5ms);
        CHECK(ping::round_trip(5ms, 5ms) == 0ms);
        CHECK(ping::round_trip(5ms, -10s) == 5ms);  // set back
        CHECK(ping::round_trip(5ms, 10s) == 5ms);   // set forward
    }
}
