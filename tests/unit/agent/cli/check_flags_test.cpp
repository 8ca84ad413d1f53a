// Flags of the kinds, files of checks, limits, many runs, output for machines, completion.
#include "agent/cli/check_request.h"
#include "tests/support/fake_dns.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <algorithm>

using namespace sonde;
using tests::CliFixture;
using tests::Outcome;

namespace {

std::string answer(int status, const std::string& body)
{
    return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
        body.size(), body);
}

struct FlagsFixture : CliFixture {
    tests::ScriptedServer server{loop, {{{.await = "\r\n\r\n", .send = answer(200, "hello")}}}};
    std::string url = "http://" + server.address() + "/";

    std::vector<std::string> words_of(const std::string& command)
    {
        std::vector<std::string> words;
        std::istringstream in{command};
        for (std::string word; in >> word;)
            words.push_back(word);
        return words;
    }
    Outcome http(const std::string& flags)
    {
        auto words = words_of(flags);
        words.insert(words.begin(), {"check", "http", url});
        return sonde(words);
    }
    /// What the n-th request said.
    std::string request(std::size_t number = 0) const { return server.received().at(number); }
};

}  // namespace

TEST_SUITE("cli/check_flags")
{
    TEST_CASE_FIXTURE(FlagsFixture, "expectations of http")
    {
        CHECK(http("--expect-status 200,301 --expect-body ^hel").status == 0);
        CHECK(http("--expect-status 4xx").status == 2);
        CHECK(http("--expect-status 2xx").status == 0);
        CHECK(http("--expect-body absent").status == 2);
        CHECK(http("--expect-no-body hello").status == 2);
        CHECK(http("--expect-body h --expect-body o$ --expect-no-body x").status == 0);
        const auto page = http("--expect-status 404").out;
        CHECK(page.find("status in 404") != std::string::npos);
        CHECK(page.find("FAILED") != std::string::npos);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "the expectation that is broken is named; those before it held")
    {
        const auto states = [&](const std::string& flags) {
            std::string all;
            std::istringstream page{http(flags).out};
            for (std::string line; std::getline(page, line);)
                if (line.starts_with("      ├") || line.starts_with("      └"))
                    all += line.substr(line.rfind(' '));
            return all;
        };
        CHECK(states("--expect-body h --expect-body absent --expect-body o") == " ok ok FAILED —");
        CHECK(states("--expect-no-body x --expect-no-body hello --expect-body h") ==
              " ok ok FAILED —");
        CHECK(states("--settings {\"failIfHeaderNotMatchesRegexp\":[{\"header\":\"Content-Length\","
                     "\"regexp\":\"^5$\"},{\"header\":\"X-No\",\"regexp\":\"1\"}]}") ==
              " ok ok FAILED");
        CHECK(states("--settings {\"failIfHeaderMatchesRegexp\":[{\"header\":\"Content-Length\","
                     "\"regexp\":\"^6$\"},{\"header\":\"Content-Length\",\"regexp\":\"^5$\"}]}") ==
              " ok ok FAILED");
        tests::ScriptedServer talker{loop, {{{.send = "one\ntwo\n"}}}};
        const auto page =
            sonde({"check", "tcp", talker.address(), "--expect", "^one$", "--expect", "^three$"});
        CHECK(page.out.find("a line ~ /^one$/                                    ok\n") !=
              std::string::npos);
        CHECK(page.out.find("a line ~ /^three$/                                  FAILED\n") !=
              std::string::npos);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "what http sends")
    {
        const std::string headers = folder.write("headers", "X-One: 1\n\nX-Two: 2\n");
        const std::string token = folder.write("token", "s3cret\n");
        const auto outcome = sonde({"check", "http", url, "--header", "X-Zero: 0", "--header",
            "@" + headers, "--method", "put", "--body", "data", "--token-file", token});
        CHECK(outcome.status == 0);
        CHECK(request().starts_with("PUT / HTTP/1.1\r\n"));
        for (const char* line : {"X-Zero: 0", "X-One: 1", "X-Two: 2",
                 "Authorization: Bearer s3cret", "Content-Length: 4"})
            CHECK(request().find(std::string{"\r\n"} + line + "\r\n") != std::string::npos);
        CHECK(outcome.out.find("s3cret") == std::string::npos);
        const std::string body = folder.write("body", "two\nlines\n\n");
        sonde({"check", "http", url, "--method", "POST", "--body-file", body});
        CHECK(request(1).find("\r\nContent-Length: 11\r\n") != std::string::npos);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "flags add to --settings, and win where there is one value")
    {
        CHECK(sonde({"check", "http", url, "--settings",
                        R"({"failIfBodyNotMatchesRegexp": ["hel"], "method": "POST"})",
                        "--expect-body", "absent"})
                  .status == 2);
        sonde({"check", "http", url, "--settings", R"({"method": "POST"})", "--method", "DELETE"});
        CHECK(request(1).starts_with("DELETE / "));
    }

    TEST_CASE_FIXTURE(FlagsFixture, "tcp: lines to send and to expect, in order")
    {
        tests::ScriptedServer echo{loop, {{{.await = "EHLO\nQUIT\n", .send = "one\ntwo\n"}}}};
        const auto outcome = sonde({"check", "tcp", echo.address(), "--send", "EHLO", "--send",
            "QUIT", "--expect", "^one$", "--expect", "^two$"});
        CHECK(outcome.status == 0);
        CHECK(outcome.out.find("a line ~ /^two$/") != std::string::npos);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "a flag of another kind, or a value that is none: 3, and named")
    {
        const auto refused = [&](std::vector<std::string> words, const std::string& why) {
            words.insert(words.begin(), "check");
            const auto outcome = sonde(words);
            CAPTURE(outcome.error);
            CHECK(outcome.status == 3);
            CHECK(outcome.error.find(why) != std::string::npos);
            CHECK(outcome.out.empty());
        };
        refused({"ping", "127.0.0.1", "--record", "A"},
            "--record: a check of kind ping has no such setting; it is for dns\n");
        refused({"http", url, "--expect-status", "20x"}, "--expect-status: \"20x\" is neither");
        refused({"ping", "127.0.0.1", "--size", "big"}, "--size: \"big\" is not a number");
        refused({"dns", "sonde.test", "--port", "99999999999999999999"}, "is not a number");
        refused({"ping", "127.0.0.1", "--packets", "11"}, "settings.ping.packetCount");
        refused({"http", url, "--body", "\xff"}, "--body: is not UTF-8\n");
        refused({"http", url, "--header", "X: \xff"}, "--header: is not UTF-8\n");
        refused({"http", url, "--body-file", folder.write("bytes", "a\xff")}, "is not UTF-8\n");
        refused({"http", url, "--token-file", folder.write("empty", "\n")}, "is empty\n");
        refused({"tcp", "127.0.0.1:1", "--send", ""}, "--send: \"\" is no line");
        refused({"http", url, "--ca", folder.path("none")}, "--ca: ");
        refused({"http", url, "--warn", "x"}, "--warn: \"x\" is not a duration");
        refused({"http", url, "--warn", "2s", "--crit", "1s"}, "--warn: must not be longer");
        refused({"http", url, "--count", "2", "-o", "json"}, "-o json: is one object");
        refused({"http"}, "KIND and TARGET are required, or -f FILE");
        refused({"http", url, "--only", "x"}, "--only: goes with -f");
        refused({"http", url, "--expect-bdy", "x"}, "Did you mean --expect-body?");
        refused({"http", url, "--expect-body", "(", "--proxy", "ftp://x"},
            "settings.http.failIfBodyNotMatchesRegexp[0]");  // and the other problem, too:
        refused(
            {"http", url, "--expect-body", "(", "--proxy", "ftp://x"}, "settings.http.proxyURL");
    }

    TEST_CASE_FIXTURE(FlagsFixture, "limits decide the exit status of a run that passes")
    {
        CHECK(http("--warn 20s --crit 30s").status == 0);
        const auto warned = http("--warn 0s");
        CHECK(warned.status == 1);
        CHECK(warned.out.find("WARNING") != std::string::npos);
        CHECK(http("--warn 0s --crit 0s").status == 2);
        CHECK(http("--warn 0s -o json").json()["verdict"] == "warning");
        CHECK(http("--warn 0s -o json").json()["limit_crossed"] == "warn");
        CHECK_FALSE(http("--warn 20s -o json").json().contains("limit_crossed"));
    }

    TEST_CASE_FIXTURE(FlagsFixture, "many runs: a row each, then the figures")
    {
        const auto outcome = http("--count 3 --interval 0s");
        CHECK(outcome.status == 0);
        CHECK(server.received().size() == 3);
        CHECK(outcome.out.find(": 3 of 3 passed (100.0 %)\n") != std::string::npos);
        const auto lines = http("--count 2 --interval 0s -o jsonl").out;
        CHECK(std::count(lines.begin(), lines.end(), '\n') == 2);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "a file of checks, JSON or YAML; the worst counts")
    {
        const std::string file = folder.write("checks.yaml",
            fmt::format(
                "- {{job: good, target: \"{0}\", settings: {{http: {{}}}}}}\n"
                "- {{job: bad, target: \"{0}\", settings: {{http: {{validStatusCodes: "
                "[404]}}}}}}\n"
                "- {{job: off, enabled: false, target: \"{0}\", settings: {{http: {{}}}}}}\n",
                url));
        const auto all = sonde({"check", "-f", file});
        CHECK(all.status == 2);
        CHECK(server.received().size() == 2);
        CHECK(sonde({"check", "-f", file, "--only", "good"}).status == 0);
        const auto none = sonde({"check", "-f", file, "--only", "nobody"});
        CHECK(none.status == 3);
        CHECK(none.error.find("has no enabled check of job \"nobody\"") != std::string::npos);
        const std::string json = folder.write("check.json",
            fmt::format(R"({{"job": "j", "target": "{}", "settings": {{"http": {{}}}}}})", url));
        CHECK(sonde({"check", "-f", json, "-o", "json"}).json()["target"] == url);
        const std::string broken = folder.write(
            "broken.yaml", "- {job: j, target: t.test, settings: {ping: {size: 1}}}\n");
        const auto refused = sonde({"check", "-f", broken});
        CHECK(refused.status == 3);
        CHECK(refused.error.find("broken.yaml:1: ") != std::string::npos);
        CHECK(sonde({"check", "-f", folder.path("none")}).status == 3);
        tests::ScriptedServer silent{loop, {{{.await = "never"}}}};
        const std::string slow = folder.write(
            "slow.yaml", fmt::format("{{job: j, target: \"{}\", timeout: 60000, settings: {{tcp: "
                                     "{{queryResponse: [{{expect: eA==}}]}}}}}}\n",
                             silent.address()));
        CHECK(sonde({"check", "-f", slow, "--timeout", "50ms"}).out.find("timeout.query") !=
              std::string::npos);
        CHECK(sonde({"check", "http", url, "-f", file}).status == 3);
    }

    TEST_CASE_FIXTURE(FlagsFixture, "output for machines")
    {
        const auto series = http("-o prom").out;
        CHECK(series.find("\nprobe_success{") != std::string::npos);
        CHECK(std::count(series.begin(), series.end(), '\n') == 118);
        const auto basic = http("-o prom --basic").out;
        CHECK(std::count(basic.begin(), basic.end(), '\n') == 34);
        const auto lines = http("-o logfmt").out;
        CHECK(lines.starts_with("level=info target=" + url));
        CHECK(lines.find("msg=\"Check succeeded\"") != std::string::npos);
        CHECK(http("-o nagios").out.starts_with("HTTP OK - 200 in "));
        const auto times = http("-o curl").out;
        CHECK(times.find("http_code: 200\n") != std::string::npos);
        CHECK(times.find("size_download: 5\n") != std::string::npos);
        CHECK(http("--json").json()["success"] == true);
        CHECK(http("-v").out.find("Received HTTP response") != std::string::npos);
    }

    TEST_CASE_FIXTURE(CliFixture, "bash completes what its script offers")
    {
        const std::string script = folder.write("completion", sonde({"completion", "bash"}).out);
        const auto offered = [&](const std::string& words) {
            const std::string command = fmt::format(
                "bash -c 'source {}; COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); "
                "_sonde; echo \"${{COMPREPLY[*]}}\"'",
                script, words);
            std::string out(4096, '\0');
            std::FILE* const pipe = ::popen(command.c_str(), "r");
            REQUIRE(pipe != nullptr);
            out.resize(std::fread(out.data(), 1, out.size(), pipe));
            ::pclose(pipe);
            return out;
        };
        CHECK(offered("sonde ch").starts_with("check"));
        CHECK(offered("sonde check h") == "http\n");
        CHECK(offered("sonde check http --expect-s") == "--expect-status\n");
        CHECK(offered("sonde check -o j") == "json jsonl\n");
        CHECK(offered("sonde config c") == "check\n");
        CHECK(offered("sonde config check --a") == "--allow-inline-secrets\n");
        CHECK(offered("sonde check tcp run:80 --t") == "--timeout --token-file --tls --tcp\n");
        CHECK(offered("sonde completion z") == "zsh\n");
        CHECK(offered("sonde check -f \"\"") == "\n");  // names of files are bash's own
    }

    TEST_CASE_FIXTURE(CliFixture, "completion knows verbs and flags; other shells are refused")
    {
        const auto bash = sonde({"completion", "bash"});
        CHECK(bash.status == 0);
        for (const char* word : {"complete -o default -F _sonde sonde", "--expect-status",
                 "completion", "dns http ping tcp"})
            CHECK(bash.out.find(word) != std::string::npos);
        CHECK(sonde({"completion", "zsh"}).out.starts_with("#compdef sonde\n"));
        CHECK(sonde({"completion", "fish"}).out.find("-l expect-status") != std::string::npos);
        const auto other = sonde({"completion", "csh"});
        CHECK(other.status == 2);
        CHECK(other.error.find("is none of bash, zsh, fish") != std::string::npos);
    }
}
