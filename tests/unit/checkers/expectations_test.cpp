#include "checkers/expectations.h"

#include <doctest/doctest.h>

using namespace sonde;
using checkers::Pattern;

namespace {

bool compiles(std::string_view text)
{
    return Pattern::compile(text).has_value();
}

bool found(std::string_view pattern, std::string_view subject)
{
    const auto compiled = Pattern::compile(pattern);
    REQUIRE_MESSAGE(compiled.has_value(), std::string{pattern});
    return compiled->found_in(subject);
}

}  // namespace

TEST_SUITE("checkers/expectations")
{
    TEST_CASE("what Go accepts, and what only RE2 would")
    {
        struct Row {
            std::string_view pattern;
            bool good;
        };
        constexpr Row rows[] = {{"", true}, {"^220.*ESMTP$", true}, {"(?i)a(?-i)b", true},
            {R"(\pL\p{Greek}[[:alpha:]]\d)", true}, {"(?P<who>a)", true}, {"(?<who_2>a)", true},
            {"(?<n>a)(?<n>b)", true}, {R"(\Q(?<\C\E)", true}, {R"(\\C)", true},
            {R"([[:alpha:](?<é>])", true}, {R"([]\C])", false}, {R"(\C)", false},
            {R"(a\Cb)", false}, {"(?P<né>a)", false}, {"(?<né>a)", false}, {"(?<a-b>c)", false},
            {"(?<>a)", false}, {"(?<n", false}, {"(?<=a)b", false}, {"(?<!a)b", false},
            {"(?=a)", false}, {R"((a)\1)", false}, {R"(a\Z)", false}, {"(", false}, {"a**", false},
            {"*good stuff*", false}, {"a{1001}", false}, {"a\xff", false}, {"\\", false}};
        for (const Row& row : rows) {
            CAPTURE(row.pattern);
            const auto compiled = Pattern::compile(row.pattern);
            CHECK(compiled.has_value() == row.good);
            if (!row.good && !compiled)
                CHECK(compiled.error().reason == "bad_regex");
        }
    }

    TEST_CASE("a pattern beyond 8 MiB of RE2's memory still compiles")
    {
        CHECK(compiles(R"((\pL{100}){10})"));
    }

    TEST_CASE("search: unanchored, by case, whole text, bytes that are no UTF-8 as U+FFFD")
    {
        CHECK(found("b", "abc"));
        CHECK_FALSE(found("B", "abc"));
        CHECK(found("", ""));
        CHECK_FALSE(found("a.b", "a\nb"));
        CHECK_FALSE(found("^b", "a\nb"));
        CHECK(found("(?m)^b", "a\nb"));
        CHECK_FALSE(found("a$", "a\n"));
        CHECK(found("a.b", "a\xff"
                           "b"));
        CHECK_FALSE(found("a.b", "a\xff\xff"
                                 "b"));  // one for each byte
        CHECK(found("a\xef\xbf\xbd", "a\xff"));
    }

    TEST_CASE("captures are bytes of the subject, whatever had to be repaired before them")
    {
        struct Row {
            std::string_view subject;
            std::string_view first;
            std::string_view second;
        };
        // U+FFFD as such, bytes that become it, and the first of its own bytes alone.
        constexpr Row rows[] = {{"<a><b>", "a", "b"}, {"\xff<a><b>", "a", "b"},
            {"\xef\xbf\xbd<a>\xff<b>", "a", "b"}, {"\xff\xef\xbf\xbd<a><\xfe>", "a", "\xfe"},
            {"\xef<a>\xef\xbf<b>", "a", "b"}, {"<\xff><\xef\xbf\xbd>", "\xff", "\xef\xbf\xbd"},
            {"\xc3\xa4\xff<\xc3\xa4\xff><\xef\xbf\xbd\xff>", "\xc3\xa4\xff", "\xef\xbf\xbd\xff"},
            {"\xed\xa0\x80<a><\xf0\x9f>", "a", "\xf0\x9f"}};
        const auto pattern = Pattern::compile("<(.+?)>.*?<(?P<last>.+?)>");
        REQUIRE(pattern.has_value());
        for (const Row& row : rows) {
            const auto captures = pattern->match(row.subject);
            REQUIRE(captures.has_value());
            CHECK(captures->groups.at(1) == row.first);
            CHECK(captures->groups.at(2) == row.second);
            CHECK(captures->named.at("last") == row.second);
        }
    }

    TEST_CASE("groups: one that took no part is empty; of equal names the first that did counts")
    {
        const auto pattern = Pattern::compile("(?<n>a)|(?<n>b)(?<m>c)?");
        REQUIRE(pattern.has_value());
        const auto captures = pattern->match("xb");
        REQUIRE(captures.has_value());
        CHECK(captures->groups == std::vector<std::string>{"b", "", "b", ""});
        CHECK(captures->named.at("n") == "b");
        CHECK_FALSE(captures->named.contains("m"));
    }
}
