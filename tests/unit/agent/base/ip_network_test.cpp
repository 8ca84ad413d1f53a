#include "agent/base/ip_network.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace sonde;

namespace {

std::string octets_of(const char* address)
{
    std::array<char, 16> octets{};
    if (::inet_pton(AF_INET, address, octets.data()) == 1)
        return {octets.data(), 4};
    REQUIRE(::inet_pton(AF_INET6, address, octets.data()) == 1);
    return {octets.data(), 16};
}

}  // namespace

TEST_SUITE("agent/base/ip_network")
{
    TEST_CASE("a network is read and printed; a lone address is one of full length")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"192.0.2.0/24", "192.0.2.0/24"},
            {"10.0.0.0/8", "10.0.0.0/8"},
            {"0.0.0.0/0", "0.0.0.0/0"},
            {"192.0.2.7", "192.0.2.7/32"},
            {"192.0.2.7/32", "192.0.2.7/32"},
            {"192.0.2.128/25", "192.0.2.128/25"},
            {"2001:DB8::/32", "2001:db8::/32"},
            {"::/0", "::/0"},
            {"::1", "::1/128"},
            {"fe80::/10", "fe80::/10"},
            {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
            {"::ffff:192.0.2.1", "192.0.2.1/32"},
            {"::ffff:0:0/96", "0.0.0.0/0"},
            {"::/95", "::/95"},
        };
        for (const auto& [text, printed] : table) {
            CAPTURE(text);
            const auto network = IpNetwork::parse(text);
            REQUIRE(network.has_value());
            CHECK(network->text() == printed);
            const auto again = IpNetwork::parse(network->text());
            REQUIRE(again.has_value());
            CHECK(*again == *network);
        }
    }

    TEST_CASE("what is no network is refused, with the way to write it")
    {
        using namespace std::string_view_literals;
        const std::pair<std::string_view, std::string_view> table[] = {
            {"", "is not an IP address with a prefix, such as 10.0.0.0/8"},
            {"/8", "is not an IP address with a prefix"},
            {"localhost", "is not an IP address with a prefix"},
            {"10/8", "is not an IP address with a prefix"},
            {"10.0.0.0 /8", "is not an IP address with a prefix"},
            {"[::1]/128", "is not an IP address with a prefix"},
            {"fe80::1%eth0/128", "is not an IP address with a prefix"},
            {"10.0.0.0\0/8"sv, "is not an IP address with a prefix"},
            {"10.0.0.0/", "must lie between 0 and 32"},
            {"10.0.0.0/33", "must lie between 0 and 32"},
            {"10.0.0.0/-1", "must lie between 0 and 32"},
            {"10.0.0.0/8/8", "must lie between 0 and 32"},
            {"10.0.0.0/99999999999", "must lie between 0 and 32"},
            {"::/129", "must lie between 0 and 128"},
            {"10.1.2.3/8", "has bits behind its prefix: write 10.0.0.0/8"},
            {"192.0.2.129/25", "has bits behind its prefix: write 192.0.2.128/25"},
            {"2001:db8::1/32", "has bits behind its prefix: write 2001:db8::/32"},
        };
        for (const auto& [text, what] : table) {
            CAPTURE(text);
            const auto network = IpNetwork::parse(text);
            REQUIRE(network.has_error());
            CHECK(network.error().reason == "bad_value");
            CAPTURE(network.error().message);
            CHECK(network.error().message.find(what) != std::string::npos);
        }
    }

    TEST_CASE("an address lies in a network when it shares its prefix")
    {
        struct Row {
            const char* network;
            const char* address;
            bool inside;
        };
        const Row table[] = {
            {"10.0.0.0/8", "10.255.0.1", true},
            {"10.0.0.0/8", "11.0.0.0", false},
            {"192.0.2.128/25", "192.0.2.127", false},
            {"192.0.2.128/25", "192.0.2.128", true},
            {"192.0.2.7", "192.0.2.7", true},
            {"192.0.2.7", "192.0.2.6", false},
            {"0.0.0.0/0", "203.0.113.9", true},
            {"0.0.0.0/0", "2001:db8::1", false},
            {"::/0", "2001:db8::1", true},
            {"::/0", "203.0.113.9", false},
            {"2001:db8::/33", "2001:db8:7fff::", true},
            {"2001:db8::/33", "2001:db8:8000::", false},
            {"10.0.0.0/8", "::ffff:10.1.2.3", true},
            {"10.0.0.0/8", "::ffff:11.1.2.3", false},
            {"::ffff:10.0.0.0/104", "10.1.2.3", true},
            {"::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true},
        };
        for (const Row& row : table) {
            CAPTURE(row.network);
            CAPTURE(row.address);
            const auto network = IpNetwork::parse(row.network);
            REQUIRE(network.has_value());
            CHECK(network->contains(octets_of(row.address)) == row.inside);
        }
        CHECK_FALSE(IpNetwork::parse("0.0.0.0/0")->contains(""));
    }
}
