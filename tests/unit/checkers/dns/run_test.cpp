#include "checkers/dns/query.h"
#include "tests/unit/checkers/dns/dns_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using tests::value_of;

TEST_SUITE("checkers/dns")
{
    TEST_CASE_FIXTURE(tests::DnsFixture, "an answer: series, phases, lines")
    {
        say({0, {{}}});
        const auto report = ask("UDP");
        CHECK(report.verdict.message == "");
        CHECK(value_of(report, "probe_dns_answer_rrs") == 1);
        CHECK(value_of(report, "probe_dns_query_succeeded") == 1);
        CHECK(value_of(report, "probe_dns_duration_seconds", {"request"}) > 0);
        CHECK(report.observed.samples().size() == 10);
        CHECK(tests::field_of(report, "rr") == "www.example.org.\t300\tIN\tA\t192.0.2.7");
    }

    TEST_CASE("names on the wire")
    {
        using checkers::dns::encode_name;
        CHECK(*encode_name("a.bc") == std::string{"\1a\2bc\0", 6});
        CHECK(*encode_name("a.bc.") == std::string{"\1a\2bc\0", 6});
        CHECK(*encode_name("a\\.b.c") == std::string{"\3a.b\1c\0", 7});
        CHECK(*encode_name("\\065.c") == std::string{"\1A\1c\0", 5});
        CHECK(encode_name("a..b").has_error());
        CHECK(encode_name(std::string(64, 'x') + ".c").has_error());
        CHECK(checkers::dns::reverse_name("192.0.2.7") == "7.2.0.192.in-addr.arpa.");
        CHECK(checkers::dns::reverse_name("www") == std::nullopt);
    }

    TEST_CASE_FIXTURE(tests::DnsFixture, "D35: with dns_retries a time-out leads to another query")
    {
        options.dns_retries = true;
        patience = std::chrono::seconds{20};
        int asked = 0;
        serve([&asked](std::string_view query) {
            return ++asked < 3 ? std::vector<std::string>{}
                               : std::vector{tests::dns_response(query, {.answer = {{}}})};
        });
        const auto report = ask("UDP", "", std::chrono::seconds{15});
        CHECK(report.verdict.code == "");
        CHECK(asked == 3);
        CHECK(tests::field_of(report, "retry") == "2");
        CHECK(server->received()[0].substr(0, 2) != server->received()[1].substr(0, 2));  // ids
        // Each attempt has a third of the time: the series tell of the last one alone.
        CHECK(
            value_of(report, "probe_dns_duration_seconds", {"request"}) < report.wall_seconds / 2);
    }
}
