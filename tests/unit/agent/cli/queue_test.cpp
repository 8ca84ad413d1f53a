#include "exporters/journal.h"
#include "tests/unit/agent/cli/cli_fixture.h"

#include <doctest/doctest.h>

using namespace sonde;
using exporters::Journal;
using tests::CliFixture;

namespace {

constexpr std::int64_t now_ms = 1'700'000'000'000;
constexpr exporters::TenantKey of_api{exporters::Origin::api, 7};
constexpr exporters::TenantKey of_file{exporters::Origin::file, 7};

/// A journal in which three runs of a tenant wait, and one is missing.
std::unique_ptr<Journal> filled(
    const std::string& directory, const exporters::TenantKey& tenant = of_api)
{
    auto opened = Journal::open({.directory = directory}, now_ms);
    REQUIRE(opened.has_value());
    Journal::Batch batch;
    for (std::uint64_t i = 0; i < 3; ++i) {
        exporters::JournalEntry entry;
        entry.sequence = opened->second.next_sequence + i;
        entry.tenant = tenant;
        entry.run_of = exporters::CheckKey{exporters::Origin::api, 5};
        entry.timestamp_ms = now_ms + static_cast<std::int64_t>(i) * 1000;
        entry.metrics = exporters::wire::compress("samples");
        entry.logs = exporters::wire::compress("lines");
        batch.entries.push_back(std::move(entry));
    }
    exporters::Gap gap;
    gap.check = exporters::CheckKey{exporters::Origin::api, 5};
    gap.tenant = tenant;
    gap.from_ms = gap.to_ms = now_ms + 3000;
    gap.runs = 1;
    gap.reason = exporters::GapReason::overrun;
    batch.gaps.push_back(gap);
    REQUIRE(!opened->first->write(batch, now_ms).failed);
    return std::move(opened->first);
}

std::size_t records(const nlohmann::json& listed)
{
    std::size_t sum = 0;
    for (const auto& lane : listed["waiting"])
        sum += lane["records"].get<std::size_t>();
    return sum;
}

}  // namespace

TEST_SUITE_BEGIN("queue");

TEST_CASE("sonde queue ls: what waits and what is missing, also beside a running agent")
{
    CliFixture fixture;
    const std::string directory = fixture.folder.path("journal");
    const auto running = filled(directory);
    const auto people = fixture.sonde({"queue", "ls", "--directory", directory});
    CHECK(people.status == 0);
    CHECK(people.out.find("metrics") != std::string::npos);
    CHECK(people.out.find("overrun") != std::string::npos);
    const auto listed =
        fixture.sonde({"queue", "ls", "--directory", directory, "-o", "json"}).json();
    REQUIRE(listed["waiting"].size() == 2);
    CHECK(listed["waiting"][0]["tenant"] == 7);
    CHECK(listed["waiting"][0]["type"] == "metrics");
    CHECK(listed["waiting"][0]["records"] == 3);
    CHECK(listed["waiting"][0]["oldest_ms"] == now_ms);
    CHECK(listed["waiting"][0]["newest_ms"] == now_ms + 2000);
    REQUIRE(listed["gaps"].size() == 1);
    CHECK(listed["gaps"][0]["check"] == 5);
    CHECK(listed["gaps"][0]["origin"] == "api");
    CHECK(listed["gaps"][0]["reason"] == "overrun");
}

TEST_CASE("sonde queue drop: only what was meant, and not under a running agent")
{
    CliFixture fixture;
    const std::string directory = fixture.folder.path("journal");
    auto running = filled(directory);
    const auto drop = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"queue", "drop", "--directory", directory});
        return fixture.sonde(std::move(words));
    };
    const auto refused = drop({"--yes"});
    CHECK(refused.status == 1);
    CHECK(refused.error.find("stop the agent first") != std::string::npos);
    running.reset();

    CHECK(drop({"--type", "logs"}).out.find("3 records would be dropped") != std::string::npos);
    CHECK(drop({"--tenant", "8", "--yes"}).out == "0 records dropped\n");
    CHECK(drop({"--origin", "file", "--yes"}).out == "0 records dropped\n");
    CHECK(drop({"--older-than", "soon"}).status == 1);
    CHECK(drop({"--type", "logs", "--yes"}).out == "3 records dropped\n");
    const auto listed =
        fixture.sonde({"queue", "ls", "--directory", directory, "-o", "json"}).json();
    CHECK(records(listed) == 3);
    std::size_t removed = 0;
    for (const auto& gap : listed["gaps"])
        if (gap["reason"] == "removed") {
            removed += gap["runs"].get<std::size_t>();
            CHECK(gap["samples"] == false);
        }
    CHECK(removed == 3);
    CHECK(drop({"--older-than", "1h", "--yes"}).out == "3 records dropped\n");
}

TEST_CASE("sonde queue drop: a number that two tenants have is not enough")
{
    CliFixture fixture;
    const std::string directory = fixture.folder.path("journal");
    filled(directory, of_api);
    filled(directory, of_file);
    const auto drop = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"queue", "drop", "--directory", directory, "--yes"});
        return fixture.sonde(std::move(words));
    };
    const auto refused = drop({"--tenant", "7"});
    CHECK(refused.status == 1);
    CHECK(refused.error.find("give --origin") != std::string::npos);
    CHECK(drop({"--tenant", "7", "--origin", "file"}).out == "6 records dropped\n");
    CHECK(drop({"--tenant", "7"}).out == "6 records dropped\n");  // one is left
}

TEST_CASE("sonde queue: no journal there")
{
    CliFixture fixture;
    const auto nothing = fixture.sonde({"queue", "ls", "--directory", fixture.folder.path("none")});
    CHECK(nothing.status == 1);
    CHECK(nothing.error.find(fixture.folder.path("none")) != std::string::npos);
}

TEST_SUITE_END();
