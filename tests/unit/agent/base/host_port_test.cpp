#include "agent/base/host_port.h"

#include <doctest/doctest.h>

using namespace sonde;
using namespace std::string_view_literals;

TEST_SUITE("agent/base/host_port")
{
    TEST_CASE("an address is split at its last colon and written as it was")
    {
        struct Row {
            std::string_view text;
            HostPort parts;
        };
        const Row table[] = {
            {"example.org:443", {"example.org", 443}},
            {"localhost:1", {"localhost", 1}},
            {"192.0.2.1:53", {"192.0.2.1", 53}},
            {"[::1]:80", {"::1", 80}},
            {"[2001:db8::1]:65535", {"2001:db8::1", 65535}},
            {"[fe80::1%eth0]:53", {"fe80::1%eth0", 53}},
            {":4050", {"", 4050}},
            {"127.0.0.1:0", {"127.0.0.1", 0}},
        };
        for (const auto& [text, parts] : table) {
            CAPTURE(text);
            const auto split = split_host_port(text);
            REQUIRE(split.has_value());
            CHECK(split->host == parts.host);
            CHECK(split->port == parts.port);
            CHECK(*split == parts);
            CHECK(split->text() == text);
        }
    }

    TEST_CASE("other spellings of the same address are taken and written in the usual one")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"[example.org]:443", "example.org:443"}, {"example.org:0443", "example.org:443"}};
        for (const auto& [text, usual] : table) {
            CAPTURE(text);
            const auto split = split_host_port(text);
            REQUIRE(split.has_value());
            CHECK(split->text() == usual);
        }
    }

    TEST_CASE("what is no address is refused and told why")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"", "has no port"},
            {"example.org", "has no port"},
            {"[::1]", "has no port"},
            {"::1", "brackets"},
            {"2001:db8::1:80", "brackets"},
            {"a:b:80", "brackets"},
            {"[]:80", "brackets"},
            {"[::1:80", "brackets"},
            {"::1]:80", "brackets"},
            {"[[::1]]:80", "brackets"},
            {"[::1]x:80", "brackets"},
            {"example.org:", "port is not a number"},
            {"example.org:http", "port is not a number"},
            {"example.org:65536", "port is not a number"},
            {"example.org:99999999999999999999", "port is not a number"},
            {"example.org:-1", "port is not a number"},
            {"example.org:+1", "port is not a number"},
            {"example.org: 80", "port is not a number"},
            {"example.org:80 ", "port is not a number"},
            {"example.org:80\0"sv, "port is not a number"},
            {"example.org:0x50", "port is not a number"},
        };
        for (const auto& [text, why] : table) {
            CAPTURE(text);
            const auto split = split_host_port(text);
            REQUIRE(split.has_error());
            CHECK(split.error().reason == "bad_address");
            CHECK(split.error().message.find(why) != std::string::npos);
            CHECK(split.error().message.find(text) != std::string::npos);
        }
    }

    TEST_CASE("two addresses are equal when both parts are")
    {
        const HostPort one{"a", 1};
        CHECK(one == HostPort{"a", 1});
        CHECK(one != HostPort{"b", 1});
        CHECK(one != HostPort{"a", 2});
    }

    TEST_CASE("IP literals are told from names, and have no zone and no brackets")
    {
        for (const std::string_view text :
            {"127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "::1", "2001:db8::1",
                "2001:DB8::A", "ff02::1", "::ffff:192.0.2.1", "fe80::1"}) {
            CAPTURE(text);
            CHECK(is_ip_literal(text));
            CHECK(is_host(text));
        }
        for (const std::string_view text :
            {""sv, "256.1.1.1"sv, "1.2.3"sv, "1.2.3.4.5"sv, "01.2.3.4"sv, "1.2.3.4 "sv,
                " 1.2.3.4"sv, "1.2.3.4\0"sv, "1.2.3.4\0.org"sv, "[::1]"sv, "fe80::1%eth0"sv,
                "fe80::1%"sv, "::1::"sv, ":::"sv, "12345::"sv, "1.2.3.4%eth0"sv, "example.org"sv}) {
            CAPTURE(text);
            CHECK_FALSE(is_ip_literal(text));
        }
    }

    TEST_CASE("host names have labels of letters, digits and inner hyphens")
    {
        const std::string longest_label(63, 'a');
        std::string longest = longest_label + '.' + longest_label + '.' + longest_label + '.';
        longest += longest_label;
        REQUIRE(longest.size() == 255);
        for (const std::string_view text :
            {std::string_view{"example.org"}, std::string_view{"a.b"},
                std::string_view{"EXAMPLE.Org"}, std::string_view{"a-b.c--d.e"},
                std::string_view{"1.2.3.4.com"}, std::string_view{"0.0a"},
                std::string_view{"xn--bcher-kva.example"}, std::string_view{longest}}) {
            CAPTURE(text);
            CHECK(is_host(text));
            CHECK(is_host(text, true));
        }
    }

    TEST_CASE("what the grammar of spec 02 §1.4 leaves out is no host")
    {
        const std::string long_label = std::string(64, 'a') + ".org";
        std::string too_long;
        while (too_long.size() < 256)
            too_long += "abc.";
        too_long = too_long.substr(0, 255) + "d";
        REQUIRE(too_long.size() == 256);
        for (const std::string_view text : {std::string_view{""}, std::string_view{"."},
                 std::string_view{"example.org."}, std::string_view{".example.org"},
                 std::string_view{"a..b"}, std::string_view{"-a.org"}, std::string_view{"a-.org"},
                 std::string_view{"a.-"}, std::string_view{"a_b.org"}, std::string_view{"a b.org"},
                 std::string_view{"b\xc3\xbc"
                                  "cher.example"},
                 std::string_view{"256.1.1.1"}, std::string_view{"1.2.3"},
                 std::string_view{"example.123"}, std::string_view{"[::1]"},
                 std::string_view{"fe80::1%eth0"}, std::string_view{"example.org:80"}, "a.org\0"sv,
                 std::string_view{long_label}, std::string_view{too_long}}) {
            CAPTURE(text);
            CHECK_FALSE(is_host(text));
            CHECK_FALSE(is_host(text, true));
        }
    }

    TEST_CASE("a name of one label is a host only where that is asked for")
    {
        for (const std::string_view text : {"localhost", "a", "db-1"}) {
            CAPTURE(text);
            CHECK_FALSE(is_host(text));
            CHECK(is_host(text, true));
        }
        for (const std::string_view text : {"1234", "-a", "a-", "a_b", "localhost."}) {
            CAPTURE(text);
            CHECK_FALSE(is_host(text, true));
        }
    }
}
