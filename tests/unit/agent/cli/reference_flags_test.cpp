// The reference agent's flags: Go's syntax, what each comes to, and its name as ours.
#include "agent/cli/go_values.h"
#include "agent/cli/reference_flags.h"
#include "config/agent_config.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <filesystem>

using namespace sonde;
using namespace std::chrono_literals;
using cli::translate;
using tests::CliFixture;
using Words = std::vector<std::string>;
using Overrides = std::map<std::string, std::string>;

namespace {

constexpr auto reference = "/usr/bin/synthetic-monitoring-agent";

cli::Translated as_reference(Words words)
{
    words.insert(words.begin(), reference);
    const auto translated = translate(words);
    REQUIRE_MESSAGE(translated.has_value(), translated.error().message);
    return *translated;
}

std::string refusal(Words words, const char* program = reference)
{
    words.insert(words.begin(), program);
    const auto translated = translate(words);
    return translated ? "accepted" : translated.error().message;
}

}  // namespace

TEST_SUITE("cli/reference_flags")
{
    TEST_CASE("each flag comes to its option")
    {
        const std::pair<Words, Overrides> table[] = {
            {{}, {}},
            {{"-api-server-address", "a:1"}, {{"api.address", "a:1"}}},
            {{"-api-insecure"}, {{"api.tls", "false"}}},
            {{"-api-insecure=false"}, {{"api.tls", "true"}}},
            {{"-api-token-file", "/t"}, {{"api.token_file", "/t"}}},
            {{"-listen-address=:4050"}, {{"status.listen", ":4050"}}},
            {{"-verbose"}, {{"log.level", "info"}}},
            {{"-verbose=false"}, {}},
            {{"-debug", "-verbose"}, {{"log.level", "debug"}}},
            {{"-verbose", "-debug=false"}, {{"log.level", "info"}}},
            {{"-dev"}, {{"log.level", "debug"}, {"status.allow_disconnect", "true"},
                           {"status.allow_log_level", "true"}}},
            {{"-dev=false"}, {}},
            {{"-enable-disconnect"}, {{"status.allow_disconnect", "true"}}},
            {{"-enable-change-log-level=true"}, {{"status.allow_log_level", "true"}}},
            {{"-telemetry-time-span", "3"}, {{"api.telemetry_every", "3m"}}},
            {{"-features", "experimental-dns-prober"}, {{"checkers.dns_retries", "true"}}},
            {{"-features="}, {}},
            {{"-features", "protocol-secrets, experimental-dns-prober"},
                {{"checkers.dns_retries", "true"}}},
            {{"-experimental-push-telemetry"}, {{"status.push_every", "60000ms"}}},
            {{"-experimental-push-telemetry=false"}, {{"status.push_every", "off"}}},
            {{"-metrics-push-interval=1m30s", "-experimental-push-telemetry"},
                {{"status.push_every", "90000ms"}}},
            {{"-disable-usage-reports"}, {}},
            {{"-api-token="}, {}},
        };
        for (const auto& [words, overrides] : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            const auto translated = as_reference(words);
            CHECK(translated.overrides == overrides);
            CHECK(translated.warnings.empty());
            CHECK(translated.words == Words{reference, "run"});
        }
    }

    TEST_CASE("one dash or two, a value behind = or as the next word; the last of several counts")
    {
        const Words table[] = {
            {"-api-server-address", "a:1"},
            {"--api-server-address", "a:1"},
            {"-api-server-address=a:1"},
            {"--api-server-address=a:1"},
            {"-api-server-address", "b:2", "--api-server-address=a:1"},
        };
        for (const Words& words : table) {
            CAPTURE(fmt::format("{}", fmt::join(words, " ")));
            CHECK(as_reference(words).overrides == Overrides{{"api.address", "a:1"}});
        }
        // Go takes whatever comes next, and only the first = divides.
        CHECK(as_reference({"-listen-address", "-debug"}).overrides ==
              Overrides{{"status.listen", "-debug"}});
        CHECK(as_reference({"-api-token-file=a=b"}).overrides ==
              Overrides{{"api.token_file", "a=b"}});
    }

    TEST_CASE("what has no effect is accepted with one line that says why")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"-publisher", "v1"}, "-publisher: no effect: there is one publisher"},
            {{"-cache-type=memcached"},
                "-cache-type: no effect: what tenants say is kept in this process"},
            {{"-cache-local-capacity", "5"}, "-cache-local-capacity: no effect: "},
            {{"-cache-local-ttl", "1m"}, "-cache-local-ttl: no effect: "},
            {{"-memcached-servers", "a:1,b:2"}, "-memcached-servers: no effect: "},
            {{"-disable-k6"},
                "-disable-k6: no effect: scripted and browser checks are not supported"},
            {{"-k6-uri", "http://x"}, "-k6-uri: no effect: "},
            {{"-k6-repository", "/x"}, "-k6-repository: no effect: "},
            {{"-enable-pprof"}, "-enable-pprof: no effect: there is no profile of Go's kind"},
            {{"-enable-auto-memlimit"}, "-enable-auto-memlimit: no effect: memory is bounded by "},
            {{"-memlimit-ratio", "0.5"}, "-memlimit-ratio: no effect: "},
            {{"-features", "k6"}, "-features k6: no effect: no such checks are supported"},
            {{"-features", "later"}, "-features later: no effect: unknown"},
            {{"-metrics-push-interval", "1m"},
                "-metrics-push-interval: no effect without -experimental-push-telemetry"},
        };
        for (const auto& [words, warning] : table) {
            CAPTURE(words.front());
            const auto translated = as_reference(words);
            CHECK(translated.overrides.empty());
            REQUIRE(translated.warnings.size() == 1);
            CHECK(translated.warnings[0].starts_with(warning));
        }
        for (const char* word : {"-enable-pprof=false", "-enable-auto-memlimit=0"})
            CHECK(as_reference({word}).warnings.empty());
    }

    TEST_CASE("a token among the arguments gives a warning, which does not repeat it")
    {
        const auto given = as_reference({"-api-token", "s3cret"});
        CHECK(given.overrides == Overrides{{"api.token", "s3cret"}});
        REQUIRE(given.warnings.size() == 1);
        CHECK(given.warnings[0].starts_with("-api-token: other users of this host can read it"));
        CHECK(given.warnings[0].find("s3cret") == std::string::npos);
        CHECK(refusal({"-api-token", "s3cret", "-api-token-file", "x"}) ==
              "-api-token is given together with -api-token-file: keep one");
        const auto nets = as_reference({"-blocked-nets", "10.0.0.0/8"});
        CHECK(nets.overrides == Overrides{{"checkers.blocked_nets", "10.0.0.0/8"}});
        REQUIRE(nets.warnings.size() == 1);
        CHECK(nets.warnings[0].find("no check of any kind connects to 10.0.0.0/8") !=
              std::string::npos);
    }

    TEST_CASE("what cannot be read is refused by the flag's name")
    {
        const std::pair<Words, std::string_view> table[] = {
            {{"-bogus"}, "flag provided but not defined: -bogus"},
            {{"--bogus=1"}, "flag provided but not defined: -bogus"},
            {{"-lisen-address"},
                "flag provided but not defined: -lisen-address; did you mean -listen-address?"},
            {{"-="}, "flag provided but not defined: -"},
            {{"-api-token"}, "flag needs an argument: -api-token"},
            {{"-config"}, "flag needs an argument: -config"},
            {{"-debug=maybe"},
                "invalid value \"maybe\" for flag -debug: \"maybe\" is not true or false"},
            {{"-debug="}, "invalid value \"\" for flag -debug: \"\" is not true or false"},
            {{"-debug", "false"}, "unexpected argument \"false\"; a boolean is -flag=false"},
            {{"run"}, "unexpected argument \"run\"; a boolean is -flag=false"},
            {{"--"}, "unexpected argument \"--\"; a boolean is -flag=false"},
            {{"-telemetry-time-span", "5m"}, "invalid value \"5m\" for flag -telemetry-time-span: "
                                             "must be a number of minutes, at least 1"},
            {{"-telemetry-time-span=0"}, "invalid value \"0\" for flag -telemetry-time-span: must "
                                         "be a number of minutes, at least 1"},
            {{"-metrics-push-interval=5", "-experimental-push-telemetry"},
                "invalid value \"5\" for flag -metrics-push-interval: \"5\" is not a duration such "
                "as 30s, 1m or 1m30s"},
        };
        for (const auto& [words, message] : table) {
            CAPTURE(words.front());
            CHECK(refusal(words) == message);
        }
    }

    TEST_CASE("sonde run takes them beside its own; other verbs are left alone")
    {
        const auto run = translate(Words{"sonde", "run", "-config", "f", "-debug",
            "--allow-inline-secrets", "-help-all", "-h", "--unknown", "word", "-config=g"});
        REQUIRE(run.has_value());
        CHECK(run->words == Words{"sonde", "run", "--config", "f", "--allow-inline-secrets",
                                "--help-all", "-h", "--unknown", "word", "--config", "g"});
        CHECK(run->overrides == Overrides{{"log.level", "debug"}});
        const Words check{"sonde", "check", "tcp", "a:1", "-debug"};
        const auto other = translate(check);
        REQUIRE(other.has_value());
        CHECK(other->words == check);
        CHECK(other->overrides.empty());
        CHECK(translate(Words{"sonde"})->words == Words{"sonde"});
        CHECK(translate(Words{})->words.empty());
        CHECK(refusal({"run", "-debug=x"}, "sonde").starts_with("invalid value \"x\""));
    }

    TEST_CASE("every key that a flag sets is an option")
    {
        config::LoadOptions options;
        options.environment = {{"STATE_DIRECTORY", "/state"}};
        options.overrides = as_reference(
            {"-api-server-address=a:1", "-api-insecure", "-api-token=t", "-listen-address=:1",
                "-dev", "-blocked-nets=10.0.0.0/8", "-features=experimental-dns-prober",
                "-telemetry-time-span=1", "-experimental-push-telemetry"})
                                .overrides;
        CHECK(options.overrides.size() == 11);
        const auto loaded = config::load_agent_config("", options);
        for (const std::string& line : loaded.problems)
            FAIL_CHECK(line);
        CHECK(loaded.config.status.push_every == 1min);
        CHECK(loaded.config.api->telemetry_every == 1min);
    }

    TEST_CASE("values are read as Go reads them")
    {
        const std::pair<std::string_view, std::chrono::milliseconds> durations[] = {{"0", 0ms},
            {"1m", 60s}, {"1m30s", 90s}, {"1.5h", 90min}, {"250ms", 250ms}, {"1000us", 1ms},
            {"2000\u00b5s", 2ms}, {"1000000ns", 1ms}, {"0.5s", 500ms}};
        for (const auto& [text, value] : durations) {
            CAPTURE(text);
            const auto read = cli::parse_go_duration(text);
            REQUIRE(read.has_value());
            CHECK(*read == value);
        }
        for (const std::string_view text : {"", "5", "m", "-1m", "1m-1s", "1d", "1ns", "1e3s",
                 "1 m", "inf", "nans", "9999999999h", "1m30"}) {
            CAPTURE(text);
            CHECK(cli::parse_go_duration(text).has_error());
        }
        for (const char* word : {"1", "t", "T", "TRUE", "true", "True"})
            CHECK(cli::parse_go_bool(word).value());
        for (const char* word : {"0", "f", "F", "FALSE", "false", "False"})
            CHECK_FALSE(cli::parse_go_bool(word).value());
        for (const char* word : {"", "yes", "tRUE", "2"})
            CHECK(cli::parse_go_bool(word).has_error());
    }

    TEST_CASE_FIXTURE(CliFixture, "by the other name it runs without verb and file")
    {
        const auto plain = type({reference, "-api-token-file", "x"});
        CHECK(plain.status == -1);
        CHECK(plain.run.config_file == "");
        CHECK(plain.run.state_optional);
        CHECK(plain.run.options.overrides ==
              Overrides{{"api.address", "localhost:4031"}, {"api.token_file", "x"}});
        CHECK(plain.run.options.environment.contains("PATH"));
        const auto filed =
            type({"synthetic-monitoring-agent", "-config=f.yaml", "-debug", "-publisher=v2"});
        CHECK(filed.run.config_file == "f.yaml");
        CHECK_FALSE(filed.run.state_optional);
        CHECK(filed.run.options.overrides == Overrides{{"log.level", "debug"}});
        CHECK(filed.run.warnings.size() == 1);
        CHECK(filed.out == "");
        CHECK(filed.error == "");
    }

    TEST_CASE_FIXTURE(CliFixture, "by the other name: version, help, and usage for what is unknown")
    {
        for (const char* word : {"-version", "--version"}) {
            const auto version = type({reference, "-debug", word});
            CHECK(version.status == 0);
            CHECK(version.out.starts_with("sonde version=\""));
            CHECK(version.out.find("\" buildstamp=\"") != std::string::npos);
        }
        const auto help = type({reference, "-help"});
        CHECK(help.status == 0);
        CHECK(help.out.find("--api-server-address") != std::string::npos);
        const auto unknown = type({reference, "-bogus"});
        CHECK(unknown.status == 2);
        CHECK(unknown.out == "");
        CHECK(unknown.error.starts_with("flag provided but not defined: -bogus\n"));
        CHECK(unknown.error.find("--api-server-address") != std::string::npos);
    }

    TEST_CASE_FIXTURE(CliFixture, "sonde run with an address needs no file; without one it does")
    {
        const bool there = std::filesystem::exists(cli::default_config);
        const auto told = sonde({"run", "-api-server-address=a:1", "-api-token", "t"});
        CHECK(told.status == -1);
        CHECK(told.run.config_file == (there ? cli::default_config : ""));
        CHECK(told.run.state_optional == !there);
        CHECK(told.run.options.overrides == Overrides{{"api.address", "a:1"}, {"api.token", "t"}});
        CHECK(told.run.warnings.size() == 1);
        const auto untold = sonde({"run", "-debug"});
        CHECK(untold.run.config_file == cli::default_config);
        CHECK_FALSE(untold.run.state_optional);
        const auto both = sonde({"run", "--config", "f.yaml", "-api-server-address", "a:1"});
        CHECK(both.run.config_file == "f.yaml");
        CHECK(both.run.options.overrides == Overrides{{"api.address", "a:1"}});
    }

    TEST_CASE_FIXTURE(CliFixture, "sonde run refuses with status 2, names the flag and no token")
    {
        const auto wrong = sonde({"run", "-api-token", "s3cret", "-verbose=perhaps"});
        CHECK(wrong.status == 2);
        CHECK(wrong.error.starts_with("invalid value \"perhaps\" for flag -verbose"));
        const auto unknown = sonde({"run", "-api-token=s3cret", "-lisen-address", ":1"});
        CHECK(unknown.status == 2);
        CHECK(unknown.error.find("Did you mean --listen-address?") != std::string::npos);
        for (const auto& outcome : {wrong, unknown})
            CHECK((outcome.out + outcome.error).find("s3cret") == std::string::npos);
        CHECK(sonde({"run", "-version"}).out.starts_with("sonde version="));
        CHECK(sonde({"completion", "bash"}).out.find("--api-server-address") != std::string::npos);
    }
}
