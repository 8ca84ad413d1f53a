// A word planted in every field that holds a secret is never seen where others can read.
#include "tests/faults/agent.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>

using namespace sonde;
using tests::Process;
using tests::PushReceiver;

namespace {

constexpr auto canary = "cAnArY";
constexpr auto canary_base64 = "Y0FuQXJZ";  // what is sent of it, too
constexpr const char* words[] = {canary, canary_base64};
constexpr const char* jobs[] = {"bearer", "basic", "key", "proxy", "header"};

/// Every secret that a file can hold: of the remotes, of a check, of a proxy.
std::string configuration(
    const tests::ScratchFolder& folder, const PushReceiver& remote, std::uint16_t status_port)
{
    return fmt::format(R"(state_dir: {0}
log: {{level: trace, format: json}}
status: {{listen: "127.0.0.1:{1}", results: true}}
tenants:
  - metrics: {{push_url: "{2}", username: u, password: "${{CANARY}}"}}
    events: {{push_url: "{3}", username: u, password: "${{CANARY}}"}}
checks:
  - job: bearer
    target: {4}
    frequency: 1000
    timeout: 1000
    settings: {{http: {{bearerToken: "${{CANARY}}"}}}}
  - job: basic
    target: {4}
    frequency: 1000
    timeout: 1000
    settings: {{http: {{basicAuth: {{username: u, password: "${{CANARY}}"}}}}}}
  - job: key
    target: {4}
    frequency: 1000
    timeout: 1000
    settings: {{http: {{tlsConfig: {{clientCert: "${{CANARY_BASE64}}", clientKey: "${{CANARY_BASE64}}"}}}}}}
  - job: proxy
    target: {4}
    frequency: 1000
    timeout: 1000
    settings: {{http: {{proxyURL: "http://u:${{CANARY}}@127.0.0.1:9/", proxyConnectHeaders: ["X-Secret: ${{CANARY}}"]}}}}
  - job: header
    target: {4}
    frequency: 1000
    timeout: 1000
    settings: {{http: {{headers: ["Authorization: ${{CANARY}}"]}}}}
)",
        folder.path("state"), status_port, remote.url("/metrics"), remote.url("/logs"),
        remote.url("/metrics"));
}

}  // namespace

TEST_SUITE_BEGIN("faults");

TEST_CASE("secrets are in no log, no metric, no push, and in no file that others can read")
{
    const tests::ScratchFolder folder;
    PushReceiver remote;
    remote.answer({.status = 401});
    const std::uint16_t status_port = tests::free_port();
    const auto file = folder.write("sonde.yaml", configuration(folder, remote, status_port));
    Process sonde{{std::getenv("SONDE_BINARY"), "run", "--config", file}, folder.path("log"),
        {fmt::format("CANARY={}", canary), fmt::format("CANARY_BASE64={}", canary_base64)}};
    const auto page = [&](const char* path) {
        return tests::http("GET", fmt::format("http://127.0.0.1:{}{}", status_port, path));
    };
    std::string metrics;
    std::string results;
    tests::await("each check has run and pushes of both kinds have been refused", [&] {
        metrics = page("/metrics");
        results = page("/results");
        const auto has_run = [&](const char* job) {
            return results.find(fmt::format("job=\"{}\"", job)) != std::string::npos;
        };
        return std::all_of(std::begin(jobs), std::end(jobs), has_run) &&
               metrics.find("sm_agent_publisher_responses_total") != std::string::npos &&
               remote.totals().requests >= 2;
    });
    sonde.signal(SIGTERM);
    CHECK(sonde.wait() == 0);

    for (const std::string& text : {sonde.output(), metrics, results})
        for (const char* word : words)
            CHECK_MESSAGE(text.find(word) == std::string::npos, text);
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder.path("state")}) {
        struct stat found{};
        REQUIRE(::stat(entry.path().c_str(), &found) == 0);
        CHECK_MESSAGE((found.st_mode & (S_IRWXG | S_IRWXO)) == 0, entry.path().string());
        if (entry.is_regular_file())
            for (const char* word : words)
                CHECK(tests::content_of(entry.path()).find(word) == std::string::npos);
    }
}

TEST_SUITE_END();
