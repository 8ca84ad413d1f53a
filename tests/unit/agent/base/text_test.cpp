#include "agent/base/text.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::string_view_literals;

namespace {

using Table = std::pair<std::string_view, std::string_view>[];

std::string all_bytes()
{
    std::string bytes;
    for (int code = 0; code < 256; ++code)
        bytes += static_cast<char>(code);
    return bytes;
}

}  // namespace

TEST_SUITE("agent/base/text")
{
    TEST_CASE("base64 and back: the vectors of RFC 4648 §10, and bytes that are no text")
    {
        constexpr Table table = {
            {"", ""},
            {"f", "Zg=="},
            {"fo", "Zm8="},
            {"foo", "Zm9v"},
            {"foob", "Zm9vYg=="},
            {"fooba", "Zm9vYmE="},
            {"foobar", "Zm9vYmFy"},
            {"\0"sv, "AA=="},
            {"\0\0\0"sv, "AAAA"},
            {"\xfb\xff\xbf", "+/+/"},
            {"\xff\xff\xff\xff", "/////w=="},
        };
        for (const auto& [bytes, encoded] : table) {
            CAPTURE(encoded);
            CHECK(text::base64(bytes) == encoded);
            const auto decoded = text::from_base64(encoded);
            REQUIRE(decoded.has_value());
            CHECK(*decoded == bytes);
        }
        const auto whole = text::from_base64(text::base64(all_bytes()));
        REQUIRE(whole.has_value());
        CHECK(*whole == all_bytes());
    }

    TEST_CASE("line ends inside base64 are skipped, wherever they are")
    {
        for (const std::string_view encoded :
            {"Zm9v\nYmE=", "Zm9v\r\nYmE=\r\n", "\nZ\rm9vYmE\n=", "Zm9vYm\nE=\n"}) {
            CAPTURE(encoded);
            const auto decoded = text::from_base64(encoded);
            REQUIRE(decoded.has_value());
            CHECK(*decoded == "fooba");
        }
        const auto nothing = text::from_base64("\r\n");
        REQUIRE(nothing.has_value());
        CHECK(nothing->empty());
    }

    TEST_CASE("what is not base64 is refused and told why")
    {
        constexpr Table table = {
            {"Z", "length"},
            {"Zg", "length"},
            {"Zg=", "length"},
            {"Zm9vYg", "length"},
            {"=", "length"},
            {"Zg== ", "length"},
            {"Zm9 ", "position 3"},
            {"Zm9\t", "position 3"},
            {"Zm9-", "position 3"},  // the alphabet of URLs
            {"_m9v", "position 0"},
            {"Zm9\0"sv, "position 3"},
            {"Zm9\xff", "position 3"},
            {"Z===", "position 1"},
            {"====", "position 0"},
            {"Zg==Zg==", "position 2"},
            {"Zm=v", "position 2"},
            {"=m9v", "position 0"},
            {"Zm9v=m9v", "position 4"},
        };
        for (const auto& [encoded, why] : table) {
            CAPTURE(encoded);
            const auto decoded = text::from_base64(encoded);
            REQUIRE(decoded.has_error());
            CHECK(decoded.error().reason == "bad_base64");
            CHECK(decoded.error().message.find(why) != std::string::npos);
        }
    }

    TEST_CASE("hex has two lower-case digits a byte")
    {
        constexpr Table table = {
            {"", ""}, {"\0"sv, "00"}, {"\x0f\xf0"sv, "0ff0"}, {"\xde\xad\xbe\xef", "deadbeef"}};
        for (const auto& [bytes, digits] : table) {
            CAPTURE(digits);
            CHECK(text::hex(bytes) == digits);
        }
    }

    TEST_CASE("well-formed UTF-8 is told apart and left alone")
    {
        for (const std::string_view bytes : {""sv, "plain"sv, "\0\x7f"sv,
                 "\xc2\x80"sv,          // U+0080, the first of two bytes
                 "\xdf\xbf"sv,          // U+07FF, the last
                 "\xe0\xa0\x80"sv,      // U+0800
                 "\xed\x9f\xbf"sv,      // U+D7FF, before the surrogates
                 "\xee\x80\x80"sv,      // U+E000, after them
                 "\xef\xbf\xbf"sv,      // U+FFFF
                 "\xf0\x90\x80\x80"sv,  // U+10000
                 "\xf4\x8f\xbf\xbf"sv,  // U+10FFFF, the very last
                 "a\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80z"sv}) {
            CAPTURE(text::hex(bytes));
            CHECK(text::is_utf8(bytes));
            CHECK(text::repair_utf8(bytes) == bytes);
        }
    }

    TEST_CASE("each ill-formed byte becomes one U+FFFD, the rest stays")
    {
        constexpr Table table = {                                  // ? stands for U+FFFD
            {"\x80", "?"}, {"\xbf z", "? z"}, {"\xc0\xaf", "??"},  // overlong
            {"\xc1\xbf", "??"},                                    // overlong
            {"\xe0\x9f\xbf", "???"},                               // overlong
            {"\xf0\x8f\xbf\xbf", "????"},                          // overlong
            {"\xed\xa0\x80", "???"},                               // U+D800
            {"\xed\xbf\xbf", "???"},                               // U+DFFF
            {"\xf4\x90\x80\x80", "????"},                          // U+110000
            {"\xf5\x80\x80\x80", "????"}, {"\xfe\xff", "??"}, {"a\xc3", "a?"}, {"\xe2\x82", "??"},
            {"\xf0\x9f\x98", "???"}, {"\xc3z", "?z"}, {"\xe2\x82z", "??z"},
            {"\xf0\x9f\x98z", "???z"}, {"\xe2z\xac", "?z?"}, {"\xc3\0"sv, "?\0"sv}};
        for (const auto& [bytes, pattern] : table) {
            CAPTURE(text::hex(bytes));
            CHECK_FALSE(text::is_utf8(bytes));
            std::string expected;
            for (const char c : pattern)
                expected += c == '?' ? "\xef\xbf\xbd"sv : std::string_view{&c, 1};
            CHECK(text::repair_utf8(bytes) == expected);
        }
    }

    TEST_CASE("long text is cut between characters, with the dots within the limit")
    {
        struct Row {
            std::string_view bytes;
            std::size_t limit;
            std::string_view cut;
        };
        constexpr Row table[] = {
            {"", 0, ""},
            {"abcdef", 6, "abcdef"},
            {"abcdef", 7, "abcdef"},
            {"abcdefg", 6, "abc..."},
            {"abcdefg", 4, "a..."},
            {"abcdefg", 3, "..."},
            {"abcdefg", 2, ".."},
            {"abcdefg", 0, ""},
            {"a\xc3\xb6\xc3\xb6\xc3\xb6", 7, "a\xc3\xb6\xc3\xb6\xc3\xb6"},
            {"a\xc3\xb6\xc3\xb6\xc3\xb6", 6, "a\xc3\xb6..."},
            {"a\xc3\xb6\xc3\xb6\xc3\xb6", 5, "a..."},
            {"ab\xf0\x9f\x98\x80xyz", 8, "ab..."},
            {"\xf0\x9f\x98\x80xyz", 6, "..."},
        };
        for (const auto& [bytes, limit, cut] : table) {
            CAPTURE(text::hex(bytes));
            CAPTURE(limit);
            CHECK(text::shorten(bytes, limit) == cut);
        }
    }

    TEST_CASE("only ASCII letters are lowered")
    {
        constexpr Table table = {{"", ""}, {"AZaz09", "azaz09"}, {"@[`{", "@[`{"},
            {"Content-TYPE", "content-type"}, {"\xc3\x84\xc0\xda", "\xc3\x84\xc0\xda"}};
        for (const auto& [given, lowered] : table) {
            CAPTURE(given);
            CHECK(text::lower(given) == lowered);
        }
    }

    TEST_CASE("blanks, tabs and line ends go at both ends, not inside")
    {
        constexpr Table table = {{"", ""}, {" ", ""}, {" \t\r\n", ""}, {"a", "a"},
            {"\r\n a b\t", "a b"}, {"a ", "a"}, {" a", "a"}, {"\fa\v", "\fa\v"}, {"\0 "sv, "\0"sv}};
        for (const auto& [given, trimmed] : table) {
            CAPTURE(given);
            CHECK(text::trim(given) == trimmed);
        }
    }

    TEST_CASE("n separators make n + 1 parts, empty ones included")
    {
        struct Row {
            std::string_view whole;
            std::vector<std::string_view> parts;
        };
        const Row table[] = {{"", {""}}, {"a", {"a"}}, {",", {"", ""}}, {"a,b", {"a", "b"}},
            {",a,,b,", {"", "a", "", "b", ""}}, {"a;b", {"a;b"}}};
        for (const auto& [whole, parts] : table) {
            CAPTURE(whole);
            CHECK(text::split(whole, ',') == parts);
        }
    }

    TEST_CASE("the nearest word is suggested when at most half of it is wrong")
    {
        constexpr std::string_view known[] = {"target", "timeout", "frequency", "id"};
        constexpr Table table = {
            {"timeout", "timeout"},
            {"tiemout", "timeout"},   // two letters exchanged
            {"timeot", "timeout"},    // one missing
            {"timeoutt", "timeout"},  // one too many
            {"Timeout", "timeout"},   // one wrong
            {"frequenzy", "frequency"},
            {"targat", "target"},
            {"tarxxx", "target"},  // three edits of six letters
            {"taxxxx", ""},        // four
            {"ix", "id"},
            {"xy", ""},
            {"x", ""},
            {"", ""},
            {"quite_another_word", ""},
        };
        for (const auto& [word, expected] : table) {
            CAPTURE(word);
            CHECK(text::nearest(word, known) == expected);
        }
        CHECK(text::nearest("timeout", {}).empty());
    }

    TEST_CASE("of several near words the nearest is suggested, of equals the first")
    {
        constexpr std::string_view known[] = {"tls_ca", "tls_key", "tls_kez"};
        CHECK(text::nearest("tls_key", known) == "tls_key");
        CHECK(text::nearest("tls_kex", known) == "tls_key");
        CHECK(text::nearest("tls_c", known) == "tls_ca");
    }
}
