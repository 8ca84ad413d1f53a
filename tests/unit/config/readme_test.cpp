#include "config/sections.h"
#include "config/unsupported.h"
#include "tests/unit/config/load_fixture.h"

#include <sstream>

namespace sonde::config {
namespace {

using tests::content_of;
using tests::OptionsFile;
using tests::source_path;

struct Row {
    std::string key;
    std::string fallback;
};

std::string between_ticks(std::string_view cell)
{
    const auto begin = cell.find('`');
    const auto end = cell.find('`', begin + 1);
    return begin == std::string_view::npos ? ""
                                           : std::string{cell.substr(begin + 1, end - begin - 1)};
}

/// The rows below a heading of config/README.md that begin with a key in ticks.
std::vector<Row> rows_below(std::string_view heading)
{
    std::istringstream in{content_of(source_path("config/README.md"))};
    std::vector<Row> rows;
    bool below = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("## "))
            below = line == fmt::format("## {}", heading);
        if (!below || !line.starts_with("| `"))
            continue;
        std::vector<std::string> cells;
        std::istringstream columns{line.substr(1)};
        for (std::string cell; std::getline(columns, cell, '|');)
            cells.push_back(cell);
        REQUIRE_MESSAGE(cells.size() >= 2, line);
        rows.push_back({between_ticks(cells[0]), between_ticks(cells[1])});
    }
    return rows;
}

TEST_SUITE("config")
{
    TEST_CASE("README.md lists exactly the options that are honoured, with their defaults")
    {
        auto known = known_options();
        for (const Row& row : rows_below("Options")) {
            CAPTURE(row.key);
            REQUIRE(known.contains(row.key));
            // The host name and the state directory depend on the machine: README.md says so.
            if (row.key != "probe.name")
                CHECK(row.fallback == known.at(row.key));
            known.erase(row.key);
        }
        for (const auto& [key, fallback] : known)
            FAIL_CHECK(fmt::format("README.md does not list {}", key));
    }

    TEST_CASE("README.md lists exactly the options that are refused, with what they accept")
    {
        std::map<std::string, std::string> refused;
        for (const Unsupported& key : unsupported_keys())
            if (!key.path.ends_with(".password_file"))  // README.md lists a secret once
                refused.emplace(key.path, key.accepted);
        for (const Row& row : rows_below("Not supported yet")) {
            CAPTURE(row.key);
            REQUIRE(refused.contains(row.key));
            CHECK(row.fallback == refused.at(row.key));
            refused.erase(row.key);
        }
        for (const auto& [key, accepted] : refused)
            FAIL_CHECK(fmt::format("README.md does not list {}", key));
    }

    TEST_CASE("no option is both honoured and refused")
    {
        const auto known = known_options();
        for (const Unsupported& key : unsupported_keys()) {
            CAPTURE(key.path);
            CHECK_FALSE(known.contains(std::string{key.path}));
        }
    }

    TEST_CASE_FIXTURE(OptionsFile, "the examples load without a problem")
    {
        folder.write("checks.example.yaml", content_of(source_path("config/checks.example.yaml")));
        options.environment["LOKI_PASSWORD"] = "p";
        const auto loaded = load(content_of(source_path("config/sonde.example.yaml")));
        for (const std::string& line : loaded.problems)
            FAIL_CHECK(line);
        CHECK(loaded.warnings.empty());
        CHECK(loaded.config.checks.size() == 4);
        REQUIRE(loaded.config.tenants.size() == 1);
        CHECK(loaded.config.tenants[0].events.password.reveal() == "p");
    }
}

}  // namespace
}  // namespace sonde::config
