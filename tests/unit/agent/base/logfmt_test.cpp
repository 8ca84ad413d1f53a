#include "agent/base/logfmt.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

using namespace sonde;
using namespace std::string_view_literals;

namespace {

std::string pair(std::string_view key, std::string_view value)
{
    std::string line;
    logfmt::append(line, key, value);
    return line;
}

/// The value as it stands after "k=".
std::string written(std::string_view value)
{
    return pair("k", value).substr(2);
}

using Table = std::pair<std::string_view, std::string_view>[];

}  // namespace

// The rows of spec 03 §5.4, "Encoding rules", in their order.
TEST_SUITE("agent/base/logfmt")
{
    TEST_CASE("keys lose blanks, controls, equals signs, quotes, DEL and ill-formed bytes")
    {
        constexpr Table table = {
            {"key", "key"},
            {"a b", "ab"},
            {"a=b", "ab"},
            {"a\"b", "ab"},
            {"a\x7f", "a"},
            {"\ta\r\nb\0c\x1f"sv, "abc"},
            {"a\xff", "a"},
            {"a\xc3", "a"},
            {"\xe2\x82z", "z"},
            {"\xed\xa0\x80z", "z"},  // a surrogate
            {"gr\xc3\xb6\xc3\x9f"
             "e",
                "gr\xc3\xb6\xc3\x9f"
                "e"},
            {"a\xef\xbf\xbd", "a\xef\xbf\xbd"},  // U+FFFD itself is well-formed
            {"a\\b'", "a\\b'"},
        };
        for (const auto& [key, kept] : table) {
            CAPTURE(key);
            CHECK(pair(key, "v") == std::string{kept} + "=v");
        }
    }

    TEST_CASE("values are quoted only when they must be")
    {
        constexpr Table table = {
            {"plain", "plain"},
            {"https://192.0.2.1:80/a?b&c#d", "https://192.0.2.1:80/a?b&c#d"},
            {"a\\b", "a\\b"},
            {"{[(',;<>)]}", "{[(',;<>)]}"},
            {"gr\xc3\xb6\xc3\x9f"
             "e",
                "gr\xc3\xb6\xc3\x9f"
                "e"},
            {"\xc2\x85", "\xc2\x85"},  // U+0085: not ASCII, so not a control here
            {"\xef\xbf\xbd", "\xef\xbf\xbd"},
            {"a b", "\"a b\""},
            {" ", "\" \""},
            {"a=b", "\"a=b\""},
            {"a\"b", R"("a\"b")"},
            {"a\x7f", R"("a\u007f")"},
            {"a\nb", R"("a\nb")"},
            {"a\xff", R"("a\ufffd")"},
        };
        for (const auto& [value, expected] : table) {
            CAPTURE(value);
            CHECK(written(value) == expected);
        }
    }

    TEST_CASE("of ASCII exactly the controls, the blank, DEL, = and \" call for quotes")
    {
        for (int code = 0; code < 128; ++code) {
            CAPTURE(code);
            const std::string value(1, static_cast<char>(code));
            const bool quoted = code <= 32 || code == 34 || code == 61 || code == 127;
            CHECK(written(value).starts_with('"') == quoted);
            CHECK(written(value).ends_with('"') == quoted);
        }
    }

    TEST_CASE("inside quotes everything that could end or garble them is escaped")
    {
        constexpr Table table = {
            {"\" ", R"("\" ")"},
            {"\\ ", R"("\\ ")"},
            {"\n", R"("\n")"},
            {"\r", R"("\r")"},
            {"\t", R"("\t")"},
            {"\0"sv, R"("\u0000")"},
            {"\x01", R"("\u0001")"},
            {"\b", R"("\u0008")"},
            {"\f", R"("\u000c")"},
            {"\x1b[1m", R"("\u001b[1m")"},
            {"\x1f", R"("\u001f")"},
            {"\x7f", R"("\u007f")"},
            {"/ '<>&", R"("/ '<>&")"},
            {"\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80",
                "\"\xc3\xb6 \xe2\x82\xac \xf0\x9f\x98\x80\""},
            {"\xc2\x85 ", "\"\xc2\x85 \""},
            {"a\xff\xfe"
             "b",
                R"("a\ufffd\ufffdb")"},
            {"\xc0\xaf", R"("\ufffd\ufffd")"},                // overlong
            {"\xed\xa0\x80", R"("\ufffd\ufffd\ufffd")"},      // a surrogate
            {"\xe2\x82", R"("\ufffd\ufffd")"},                // cut short
            {"\xf0\x9f\x98 ", R"("\ufffd\ufffd\ufffd ")"},    // cut short
            {"\xff\xef\xbf\xbd", "\"\\ufffd\xef\xbf\xbd\""},  // only the ill-formed byte
            {R"(Get "https://192.0.2.10/": context deadline exceeded)",
                R"("Get \"https://192.0.2.10/\": context deadline exceeded")"},
            {"example.org.\t300\tIN\tA\t192.0.2.1\n", R"("example.org.\t300\tIN\tA\t192.0.2.1\n")"},
        };
        for (const auto& [value, expected] : table) {
            CAPTURE(value);
            CHECK(written(value) == expected);
        }
    }

    TEST_CASE("empty, absent, unsupported and timely values")
    {
        CHECK(pair("srcIP", "") == "srcIP=");
        CHECK(pair("err", "null") == "err=null");
        CHECK(pair("known_rcode", "unsupported value type") ==
              "known_rcode=\"unsupported value type\"");
        CHECK(pair("end", "0001-01-01 00:00:00 +0000 UTC") ==
              "end=\"0001-01-01 00:00:00 +0000 UTC\"");
    }

    TEST_CASE("pairs are separated by one space, keep their order and may repeat")
    {
        std::string line;
        logfmt::append(line, "target", "https://example.org/");
        logfmt::append(line, "srcIP", "");
        logfmt::append(line, "level", "DEBUG");
        logfmt::append(line, "msg", "Resolving target address");
        logfmt::append(line, "target", "example.org");
        CHECK(line == "target=https://example.org/ srcIP= level=DEBUG "
                      "msg=\"Resolving target address\" target=example.org");
    }

    TEST_CASE("numbers have the shortest digits; exponents only below 1e-4 and from 1e6 on")
    {
        using limits = std::numeric_limits<double>;
        const std::pair<double, std::string_view> table[] = {
            {0, "0"},
            {-0.0, "-0"},
            {3, "3"},
            {2.5, "2.5"},
            {-2.5, "-2.5"},
            {0.1, "0.1"},
            {0.1 + 0.2, "0.30000000000000004"},
            {0.054812345, "0.054812345"},
            {3.000412345, "3.000412345"},
            {0.001, "0.001"},
            {0.0001, "0.0001"},
            {0.00012345, "0.00012345"},
            {-0.0001, "-0.0001"},
            {std::nextafter(0.0001, 0), "9.999999999999999e-05"},
            {0.00009, "9e-05"},
            {-0.00009, "-9e-05"},
            {0.000012345, "1.2345e-05"},
            {1e-10, "1e-10"},
            {100000, "100000"},
            {123456.5, "123456.5"},
            {999999, "999999"},
            {std::nextafter(1e6, 0), "999999.9999999999"},
            {1e6, "1e+06"},
            {-1e6, "-1e+06"},
            {1234567, "1.234567e+06"},
            {1767225600.5, "1.7672256005e+09"},
            {1e21, "1e+21"},
            {1e100, "1e+100"},
            {limits::max(), "1.7976931348623157e+308"},
            {limits::min(), "2.2250738585072014e-308"},
            {limits::denorm_min(), "5e-324"},
            {limits::quiet_NaN(), "NaN"},
            {limits::infinity(), "+Inf"},
            {-limits::infinity(), "-Inf"},
        };
        for (const auto& [value, expected] : table) {
            CAPTURE(expected);
            CHECK(logfmt::number(value) == expected);
        }
    }

    TEST_CASE("a number does not depend on the one written before it")
    {
        const double before[] = {1.2345678901234567, 123456.5, 98765.43210987654, 1e-300, 9};
        const std::pair<double, std::string_view> after[] = {
            {3, "3"}, {5, "5"}, {0.25, "0.25"}, {9e-05, "9e-05"}, {2e6, "2e+06"}};
        for (const double first : before)
            for (const auto& [value, expected] : after) {
                CAPTURE(first);
                logfmt::number(first);
                CHECK(logfmt::number(value) == expected);
            }
    }

    TEST_CASE("every number reads back the same, and its form follows its size")
    {
        std::mt19937_64 random{20240229};  // the same numbers every time
        std::uniform_real_distribution<double> exponent{-12, 12};
        for (int i = 0; i < 2000; ++i) {
            const double value = std::pow(10.0, exponent(random)) * (i % 2 == 0 ? 1 : -1);
            const std::string text = logfmt::number(value);
            CAPTURE(text);
            CHECK(std::strtod(text.c_str(), nullptr) == value);
            const double size = std::abs(value);
            CHECK((text.find('e') != std::string::npos) == (size < 1e-4 || size >= 1e6));
        }
    }
}
