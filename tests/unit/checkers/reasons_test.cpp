// The codes of reasons.h, what goes with them on the line that explains a failure (spec 02 §1.10),
// and the table of them in README.md.
#include "agent/base/text.h"
#include "checkers/reasons.h"
#include "tests/support/run_fixture.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

using namespace sonde;
using namespace std::chrono_literals;

namespace {

using Texts = std::vector<std::string>;

/// The line that explains a failure: its keys with their values from "reason" on.
std::string explained(const checkers::Report& report)
{
    for (const auto& entry : report.log) {
        std::string out;
        for (const auto& field : entry.fields)
            if (field.key == "reason" || !out.empty())
                out += fmt::format("{}{}={}", out.empty() ? "" : " ", field.key, field.value);
        if (!out.empty())
            return out;
    }
    return "";
}

Texts keys_of(const checkers::LogEntry& entry)
{
    Texts keys;
    for (const auto& field : entry.fields)
        keys.emplace_back(field.key);
    return keys;
}

/// The codes between backquotes in the first column of the table that begins with `| code |`.
std::set<std::string> codes_of_readme()
{
    std::istringstream in{tests::content_of(tests::source_path("checkers/README.md"))};
    std::set<std::string> codes;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        inside = line.starts_with("| code |") || (inside && line.starts_with('|'));
        if (!inside)
            continue;
        const auto column = text::split(std::string_view{line}.substr(1), '|').front();
        const auto parts = text::split(column, '`');
        for (std::size_t i = 1; i < parts.size(); i += 2)
            codes.emplace(parts[i]);
    }
    return codes;
}

}  // namespace

TEST_SUITE("checkers/reasons")
{
    TEST_CASE("the table in README.md has every code, and no other")
    {
        std::set<std::string> ours;
        for (const checkers::Reason& reason : checkers::reasons)
            ours.emplace(reason.code);
        CHECK(codes_of_readme() == ours);
    }

    TEST_CASE_FIXTURE(
        tests::RunFixture, "settings that cannot be used: which pattern, which secret")
    {
        const struct {
            std::string target;
            std::string settings;
            std::string_view explanation;
        } rows[] = {{"http://a.test/", R"({"http": {"failIfBodyMatchesRegexp": ["ok", "("]}})",
                        "reason=bad_regex regexp=( target=http://a.test/"},
            {"http://a.test/",
                R"({"http": {"failIfHeaderNotMatchesRegexp": [{"header": "A", "regexp": "["}]}})",
                "reason=bad_regex regexp=[ target=http://a.test/"},
            {"a.test:1", R"({"tcp": {"queryResponse": [{"expect": "Kg=="}]}})",
                "reason=bad_regex regexp=* target=a.test:1"},
            {"a.test",
                R"({"dns": {"server": "127.0.0.1", "validateAnswerRRS":
                    {"failIfNotMatchesRegexp": ["+"]}}})",
                "reason=bad_regex regexp=+ target=a.test"},
            {"http://127.0.0.1/",
                R"({"http": {"secretManagerEnabled": true, "bearerToken": "${secrets.a-b}"}})",
                "reason=secret cause=local_secret_store name=a-b"},
            {"http://127.0.0.1/",
                R"({"http": {"secretManagerEnabled": true, "bearerToken": "${secrets.A}"}})",
                "reason=secret cause=bad_name name=A"}};
        for (const auto& row : rows) {
            CAPTURE(row.settings);
            CHECK(explained(run(row.target, row.settings)) == row.explanation);
        }
    }

    TEST_CASE_FIXTURE(tests::RunFixture, "TCP: phases up to the deadline, the open one included")
    {
        const struct {
            std::string_view settings;
            Texts phases;
        } rows[] = {{R"({"tcp": {"queryResponse": [{"expect": "YQ=="}]}})",
                        {"resolve", "connect", "query"}},
            {R"({"tcp": {"tls": true}})", {"resolve", "connect", "tls"}}};
        for (const bool published : {true, false})
            for (const auto& row : rows) {
                CAPTURE(row.settings);
                options.tcp_phases = published;
                tests::ScriptedServer server{loop, {{{"", "", false, true}}}};
                const auto report = run(server.address(), row.settings, 200ms);
                CHECK(report.verdict.code == "timeout");
                Texts reached;
                Texts keys{"duration_seconds", "walltime_seconds"};
                for (const checkers::Phase& phase : report.phases) {
                    if (!phase.reached)
                        continue;
                    reached.emplace_back(phase.name);
                    keys.push_back(reached.back() + "_seconds");
                    CHECK(phase.seconds > 0);
                    if (published)
                        CHECK(tests::value_of(report, "probe_tcp_duration_seconds",
                                  {reached.back()}) == phase.seconds);
                }
                CHECK(reached == row.phases);
                CHECK(keys_of(report.log.back()) == keys);
                CHECK(tests::has(report, "probe_tcp_duration_seconds") == published);
            }
    }
}
