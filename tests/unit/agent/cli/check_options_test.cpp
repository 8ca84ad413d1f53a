// `sonde check`: what it accepts, and how it refuses the rest: status 3 and one line that names it.
#include "tests/support/fake_dns.h"
#include "tests/unit/agent/cli/cli_fixture.h"

using namespace sonde;
using tests::CliFixture;
using tests::Outcome;
using Words = std::vector<std::string>;

namespace {

constexpr auto nobody = "127.0.0.1:1";

bool mentions(const Outcome& outcome, std::string_view text)
{
    return outcome.error.find(text) != std::string::npos;
}

/// Whatever is accepted fails at once and as expected.
struct Refusing : CliFixture {
    const tests::ClosedPort closed{loop};
    const std::string target = closed.address();

    Outcome settings(const std::string& kind, const std::string& about, const std::string& text)
    {
        return check({kind, about, "--settings", text});
    }
};

}  // namespace

TEST_SUITE("cli/check")
{
    TEST_CASE_FIXTURE(CliFixture, "what is not on the command line as it should be: 3, and named")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"check"}, "KIND"},
            {{"check", "tcp"}, "TARGET"},
            {{"check", "tcp", nobody, "more"}, "more"},
            {{"check", "traceroute", "127.0.0.1"}, "traceroute"},
            {{"check", "TCP", nobody}, "TCP"},
            {{"check", "tcp", nobody, "--bogus"}, "--bogus"},
            {{"check", "tcp", nobody, "--settings"}, "--settings"},
            {{"check", "tcp", nobody, "--timeout"}, "--timeout"},
            {{"check", "tcp", nobody, "-o", "xml"}, "xml"},
            {{"check", "tcp", nobody, "-4", "-6"}, "-4 and -6"},
        };
        for (const auto& [words, named] : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            const auto outcome = sonde(words);
            CHECK(outcome.status == 3);
            CHECK(outcome.out == "");
            CAPTURE(outcome.error);
            CHECK(mentions(outcome, named));
        }
    }

    TEST_CASE_FIXTURE(Refusing, "--timeout takes 1ms to 1m, and the run gets it")
    {
        for (const auto& [given, seconds] :
            std::initializer_list<std::pair<const char*, const char*>>{
                {"1ms", "0.001"}, {"250ms", "0.25"}, {"2s", "2"}, {"1m", "60"}}) {
            CAPTURE(given);
            const auto outcome = check({"tcp", target, "--timeout", given});
            CHECK(outcome.status == 2);
            CHECK(outcome.json()["log"][0]["fields"]["timeout_seconds"] == seconds);
        }
        const auto silent = check({"tcp", target});
        CHECK(silent.json()["log"][0]["fields"]["timeout_seconds"] == "3");
        for (const char* given : {"0ms", "0s", "60001ms", "61s", "2m", "-1s", "3", "soon"}) {
            CAPTURE(given);
            const auto outcome = check({"tcp", target, std::string{"--timeout="} + given});
            CHECK(outcome.status == 3);
            CHECK(outcome.out == "");
            CAPTURE(outcome.error);
            CHECK(mentions(outcome, "--timeout"));
        }
    }

    TEST_CASE_FIXTURE(
        Refusing, "-4 and -6 reach all kinds: a literal of the other family has no use")
    {
        const std::pair<const char*, const char*> table[] = {{"127.0.0.1", "-6"}, {"::1", "-4"}};
        for (const auto& [host, flag] : table) {
            CAPTURE(host);
            const std::string bracketed = host[0] == ':' ? "[::1]" : host;
            const Words commands[] = {
                {"dns", "www.sonde.test", "--settings",
                    fmt::format(
                        R"({{"server": "{}", "port": 1, "recordType": "A", "protocol": "UDP"}})",
                        host),
                    flag},
                {"http", fmt::format("http://{}:1/", bracketed), flag},
                {"ping", host, flag},
                {"tcp", bracketed + ":1", flag},
            };
            for (const Words& words : commands) {
                CAPTURE(words[0]);
                const auto outcome = check(words);
                CHECK(outcome.status == 2);
                const auto object = outcome.json();
                REQUIRE(object["reason"].is_object());
                CHECK(object["reason"]["code"] == "resolve");
                CHECK(object["reason"]["cause"] == "wrong_family");
            }
        }
    }

    TEST_CASE_FIXTURE(
        CliFixture, "-4 and -6 of the right family change nothing, and win over settings")
    {
        CHECK(check({"ping", "127.0.0.1", "-4"}).json()["address"]["family"] == 4);
        CHECK(check({"ping", "::1", "-6"}).json()["address"]["family"] == 6);
        const auto both = check({"ping", "::1", "-6", "--settings", R"({"ipVersion": "V4"})"});
        CHECK(both.status == 0);
        CHECK(both.json()["address"]["family"] == 6);
    }

    TEST_CASE_FIXTURE(Refusing, "settings that are no JSON object are refused as such")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"{", "sonde check: --settings: not valid JSON\n"},
            {"tls", "sonde check: --settings: not valid JSON\n"},
            {"{'tls': true}", "sonde check: --settings: not valid JSON\n"},
            {"[]", "sonde check: --settings: not a JSON object\n"},
            {"null", "sonde check: --settings: not a JSON object\n"},
            {"7", "sonde check: --settings: not a JSON object\n"},
            {"{}, \"tcp\": {}", "sonde check: --settings: not valid JSON\n"},
            {"{}} {", "sonde check: --settings: not valid JSON\n"},
            {"{\"sourceIpAddress\": \"\xff\"}", "sonde check: --settings: not valid UTF-8\n"},
        };
        for (const auto& [text, message] : table) {
            CAPTURE(text);
            const auto outcome = settings("tcp", nobody, std::string{text});
            CHECK(outcome.status == 3);
            CHECK(outcome.out == "");
            CHECK(outcome.error == message);
        }
    }

    TEST_CASE_FIXTURE(Refusing, "a setting that cannot be used is named by its path")
    {
        struct Row {
            std::string kind, target, settings, message;
        };
        const Row table[] = {
            {"tcp", nobody, R"({"tls": 5})", "settings.tcp.tls: is not true or false"},
            {"tcp", nobody, R"({"queryResponse": [{}, {"expect": "KA=="}]})",
                "settings.tcp.queryResponse[1].expect: missing ): ("},
            {"tcp", nobody, R"({"ipVersion": "V5"})",
                "settings.tcp.ipVersion: is not one of Any, V4, V6"},
            {"http", "http://127.0.0.1:1/", R"({"failIfBodyMatchesRegexp": ["("]})",
                "settings.http.failIfBodyMatchesRegexp[0]: missing ): ("},
            {"http", "http://127.0.0.1:1/", R"({"headers": ["nonsense"]})",
                "settings.http.headers[0]: is not \"Name: value\""},
            {"dns", "sonde.test", R"({"server": "127.0.0.1", "port": 65536})",
                "settings.dns.port: 65536 is not a port"},
            {"ping", "127.0.0.1", R"({"packetCount": 11})",
                "settings.ping.packetCount: 11 is not 0 to 10"},
        };
        for (const Row& row : table) {
            CAPTURE(row.settings);
            const auto outcome = settings(row.kind, row.target, row.settings);
            CHECK(outcome.status == 3);
            CHECK(outcome.out == "");
            CHECK(outcome.error == "sonde check: " + row.message + "\n");
        }
    }

    TEST_CASE_FIXTURE(Refusing, "a setting that no kind or not this kind has is named, not ignored")
    {
        struct Row {
            std::string kind, target, settings, message;
        };
        const std::string page = "http://127.0.0.1:1/";
        const Row table[] = {
            {"http", page, R"({"validStatusCode": [200]})",
                "settings.http.validStatusCode: is not a member; did you mean validStatusCodes?"},
            {"http", page, R"({"tlsConfig": {"cacert": ""}})",
                "settings.http.tlsConfig.cacert: is not a member; did you mean caCert?"},
            {"http", page, R"({"failIfHeaderMatchesRegexp": [{"regexp": ""}, {"xylophone": ""}]})",
                "settings.http.failIfHeaderMatchesRegexp[1].xylophone: is not a member"},
            {"tcp", nobody, R"({"packetCount": 3})", "settings.tcp.packetCount: is not a member"},
        };
        for (const Row& row : table) {
            CAPTURE(row.settings);
            const auto outcome = settings(row.kind, row.target, row.settings);
            CHECK(outcome.status == 3);
            CHECK(outcome.error == "sonde check: " + row.message + "\n");
        }
    }

    TEST_CASE_FIXTURE(Refusing, "both spellings of a setting are known")
    {
        tests::FakeDns names{loop};
        for (const char* spelling : {"validRCodes", "validRCode"}) {
            CAPTURE(spelling);
            const auto outcome = settings("dns", "nobody.sonde.test",
                fmt::format(
                    R"({{"server": "127.0.0.1", "port": {}, "recordType": "A", "protocol": "UDP",
                        "{}": ["NXDOMAIN"]}})",
                    names.port(), spelling));
            CHECK(outcome.error == "");
            CHECK(outcome.status == 0);
        }
    }

    TEST_CASE_FIXTURE(Refusing, "a setting that this version does not honour is refused by name")
    {
        const auto outcome =
            settings("http", "http://127.0.0.1:1/", R"({"oauth2Config": {"clientId": "x"}})");
        CHECK(outcome.status == 3);
        CHECK(outcome.out == "");
        CHECK(outcome.error == "sonde check: settings.http.oauth2Config: not supported\n");
    }

    TEST_CASE_FIXTURE(Refusing, "a file of settings that cannot be used is named, with the reason")
    {
        const std::string absent = folder.path("absent.json");
        const auto unread = settings("tcp", nobody, '@' + absent);
        CHECK(unread.status == 3);
        CHECK(unread.error ==
              fmt::format("sonde check: --settings: {}: No such file or directory\n", absent));
        const std::string directory = folder.path("");
        const auto no_file = settings("tcp", nobody, '@' + directory);
        CHECK(no_file.status == 3);
        CHECK(no_file.error ==
              fmt::format("sonde check: --settings: {}: is a directory\n", directory));
        const auto empty = settings("tcp", nobody, '@' + folder.write("empty.json", ""));
        CHECK(empty.status == 3);
        CHECK(empty.error == "sonde check: --settings: not valid JSON\n");
    }

    TEST_CASE_FIXTURE(CliFixture, "a target that no check of the kind can have is refused")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"tcp", "127.0.0.1"}, "target: \"127.0.0.1\" is not host:port"},
            {{"tcp", "a b:80"}, "target: \"a b\" is not a host name or an IP address"},
            {{"ping", "127.0.0.1:80"}, "target: \"127.0.0.1:80\" is not a host name or an IP"},
            {{"http", "ftp://127.0.0.1/"}, "target: "},
        };
        for (const auto& [words, message] : table) {
            CAPTURE(message);
            const auto outcome = check(words);
            CHECK(outcome.status == 3);
            CHECK(outcome.out == "");
            CAPTURE(outcome.error);
            CHECK(mentions(outcome, message));
        }
    }

    TEST_CASE_FIXTURE(CliFixture, "help is no error and goes to standard output")
    {
        const auto outcome = sonde({"check", "--help"});
        CHECK(outcome.status == 0);
        CHECK(outcome.error == "");
        for (const char* named : {"KIND", "TARGET", "--settings", "--timeout", "-4", "-6", "-o"})
            CHECK(outcome.out.find(named) != std::string::npos);
    }
}
