// Every verb but `check`: statuses, what is printed where, and what must never be printed.
#include "agent/base/text.h"
#include "agent/base/version.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <algorithm>

using namespace sonde;
using tests::CliFixture;
using tests::Outcome;
using Words = std::vector<std::string>;

namespace {

struct ConfigCheck : CliFixture {
    /// `sonde config check` of this text; the folder's name is cut out of what it says.
    Outcome judge(std::string_view text, const Words& more = {})
    {
        Words words{"config", "check", folder.write("sonde.yaml", text)};
        words.insert(words.end(), more.begin(), more.end());
        auto outcome = sonde(words);
        const std::string prefix = folder.path("");
        for (auto at = outcome.error.find(prefix); at != std::string::npos;
            at = outcome.error.find(prefix))
            outcome.error.erase(at, prefix.size());
        return outcome;
    }
};

}  // namespace

TEST_SUITE("cli/verbs")
{
    TEST_CASE_FIXTURE(CliFixture, "the version is one line, by either way of asking")
    {
        const std::string line =
            fmt::format("sonde version=\"{}\" buildstamp=\"{}\" commit=\"{}\"\n", version::number,
                version::built, version::commit);
        for (const char* word : {"version", "--version"}) {
            const auto outcome = sonde({word});
            CHECK(outcome.status == 0);
            CHECK(outcome.out == line);
            CHECK(outcome.error == "");
        }
        CHECK_FALSE(std::string_view{version::number}.empty());
    }

    TEST_CASE_FIXTURE(CliFixture, "what is no command is usage, 2")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"chek"}, "chek"},
            {{"--bogus"}, "--bogus"},
            {{"config"}, "subcommand"},
            {{"config", "check"}, "FILE"},
            {{"config", "fix"}, "subcommand"},
            {{"token"}, "subcommand"},
            {{"token", "hash", "secret"}, "argument"},
            {{"run", "--bogus"}, "--bogus"},
            {{"version", "config"}, "config"},
        };
        for (const auto& [words, named] : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            const auto outcome = sonde(words);
            CHECK(outcome.status == 2);
            CHECK(outcome.out == "");
            CAPTURE(outcome.error);
            CHECK(outcome.error.find(named) != std::string::npos);
        }
    }

    TEST_CASE_FIXTURE(CliFixture, "without a verb the help is shown, and it is usage, 2")
    {
        const auto outcome = sonde({});
        CHECK(outcome.status == 2);
        for (const char* verb : {"run", "check", "config", "healthcheck", "token", "version"})
            CHECK(outcome.out.find(verb) != std::string::npos);
        CHECK(sonde({"--help"}).status == 0);
        CHECK(sonde({"--help-all"}).status == 0);
    }

    TEST_CASE_FIXTURE(CliFixture, "run is handed on with its options, not carried out")
    {
        const auto plain = sonde({"run"});
        CHECK(plain.status == -1);
        CHECK(plain.run.config_file == "/etc/sonde/sonde.yaml");
        CHECK_FALSE(plain.run.options.allow_inline_secrets);
        CHECK(plain.run.options.environment.contains("PATH"));
        const auto told = sonde({"run", "--config", "other.yaml", "--allow-inline-secrets"});
        CHECK(told.run.config_file == "other.yaml");
        CHECK(told.run.options.allow_inline_secrets);
        CHECK(told.out == "");
        CHECK(told.error == "");
    }

    TEST_CASE_FIXTURE(CliFixture, "token hash: the SHA-256 of the token, without its line end")
    {
        // FIPS 180-2, B.1: the digest of "abc".
        const std::string digest =
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
        for (const char* input : {"abc", "abc\n", "abc\r\n", "abc\n\n"}) {
            const auto outcome = sonde({"token", "hash"}, input);
            CHECK(outcome.status == 0);
            CHECK(outcome.out == digest);
            CHECK(outcome.error == "");
        }
        CHECK(sonde({"token", "hash"}, " abc").out != digest);
    }

    TEST_CASE_FIXTURE(CliFixture, "token hash: nothing given is usage, 2")
    {
        for (const char* input : {"", "\n", "\r\n"}) {
            const auto outcome = sonde({"token", "hash"}, input);
            CHECK(outcome.status == 2);
            CHECK(outcome.out == "");
            CHECK(outcome.error == "sonde token hash: no token on standard input\n");
        }
    }

    TEST_CASE_FIXTURE(CliFixture, "token hash never prints the token, also when it is misused")
    {
        const std::string secret = "s3cret-of-the-publisher";
        const Outcome outcomes[] = {
            sonde({"token", "hash"}, secret),
            sonde({"token", "hash"}, secret + "\nand a second line\n"),
            sonde({"token", "hash", "--help"}, secret),
            sonde({"token"}, secret),
        };
        for (const Outcome& outcome : outcomes) {
            CHECK(outcome.out.find(secret) == std::string::npos);
            CHECK(outcome.error.find(secret) == std::string::npos);
        }
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: nothing is wrong: 0, and silence")
    {
        const auto outcome = judge(R"(
checks:
  - {job: a, target: 127.0.0.1, settings: {ping: {}}}
)");
        CHECK(outcome.error == "");
        CHECK(outcome.out == "");
        CHECK(outcome.status == 0);
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: all problems, each with file, line, key and fix")
    {
        const auto outcome = judge(R"(log: {level: loud}
chekcs: []
checks:
  - job: a
    target: http://127.0.0.1/
    timeuot: 5000
    settings: {http: {}}
schedule:
  start_spread: 5
status: {page: true}
)");
        CHECK(outcome.status == 2);
        CHECK(outcome.out == "");
        Words lines;
        for (const auto line : text::split(outcome.error, '\n'))
            lines.emplace_back(line);
        std::sort(lines.begin(), lines.end());
        const Words expected = {"", "sonde.yaml:10: status.page: not supported yet, only false",
            "sonde.yaml:1: log.level: \"loud\" is not one of error, warning, info, debug, trace",
            "sonde.yaml:2: chekcs: is not an option; did you mean checks?",
            "sonde.yaml:6: checks[0].timeuot: is not a member; did you mean timeout?",
            "sonde.yaml:9: schedule.start_spread: \"5\" is not a duration such as 250ms, 15s, 5m, "
            "1h or 365d"};
        CHECK(lines == expected);
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: what a kind cannot use has its line and key, too")
    {
        const auto outcome = judge(R"(checks:
  - job: a
    target: http://127.0.0.1/
    settings:
      http:
        method: GET
        oauth2Config:
          clientId: x
  - {job: b, target: 127.0.0.1, settings: {tcp: {}}}
  - job: c
    target: sonde.test
    settings:
      dns:
        server: 127.0.0.1
        validateAnswerRRS:
          failIfMatchesRegexp:
            - good
            - (
  - job: d
    target: 127.0.0.1
    settings: {traceroute: {}}
)");
        CHECK(outcome.status == 2);
        CHECK(outcome.error ==
              "sonde.yaml:8: checks[0].settings.http.oauth2Config: not supported\n"
              "sonde.yaml:9: checks[1].target: \"127.0.0.1\" is not host:port\n"
              "sonde.yaml:18: checks[2].settings.dns.validateAnswerRRS.failIfMatchesRegexp[1]: "
              "missing ): (\n"
              "sonde.yaml:21: checks[3].settings.traceroute: not supported\n");
    }

    TEST_CASE_FIXTURE(
        ConfigCheck, "config check: a check in a file of its own is named with that file")
    {
        folder.write("shop.yaml", "job: a\ntarget: nowhere\nsettings:\n  tcp: {}\n");
        const auto outcome = judge("checks_files: [shop.yaml]\n");
        CHECK(outcome.status == 2);
        CHECK(outcome.error == "shop.yaml:2: target: \"nowhere\" is not host:port\n");
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: a check that is off may wait for a later version")
    {
        const auto outcome = judge(R"(
checks:
  - {job: a, target: 127.0.0.1, enabled: false, settings: {traceroute: {}}}
)");
        CHECK(outcome.error == "");
        CHECK(outcome.status == 0);
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: a file that cannot be read, or is no YAML")
    {
        const auto absent = sonde({"config", "check", folder.path("absent.yaml")});
        CHECK(absent.status == 2);
        CHECK(absent.error == folder.path("absent.yaml") + ": No such file or directory\n");
        const auto broken = judge("checks: []\nlog: {\n");
        CHECK(broken.status == 2);
        CHECK(broken.error.starts_with("sonde.yaml:"));
        CHECK(broken.error.find("is no YAML") != std::string::npos);
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: secrets are refused or accepted, never printed")
    {
        const std::string secret = "s3cret-of-the-probe";
        const std::string file =
            fmt::format("api: {{address: \"127.0.0.1:4031\", token: {}}}\n", secret);
        const auto refused = judge(file);
        CHECK(refused.status == 2);
        CHECK(refused.error.starts_with("sonde.yaml:1: api.token: "));
        CHECK(refused.error.find("token_file") != std::string::npos);  // the way out
        CHECK(refused.error.find(secret) == std::string::npos);
        const auto accepted = judge(file, {"--allow-inline-secrets"});
        CHECK(accepted.status == 0);
        CHECK(accepted.error.find(secret) == std::string::npos);
    }

    TEST_CASE_FIXTURE(ConfigCheck, "config check: a warning is printed as one and is no failure")
    {
        std::filesystem::permissions(
            folder.write("token", "s3cret\n"), std::filesystem::perms{0644});
        const auto outcome = judge("api: {address: \"127.0.0.1:4031\", token_file: token}\n");
        CHECK(outcome.status == 0);
        CHECK(outcome.error.starts_with("sonde.yaml:1: api.token_file: "));
        CHECK(outcome.error.ends_with(" (warning)\n"));
        CHECK(outcome.error.find("s3cret") == std::string::npos);
    }
}
