#pragma once

#include "config/agent_config.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>

namespace sonde::tests {

/// A file in which only the line to be tested can be wrong.
inline std::string with(std::string_view line)
{
    return fmt::format("checks: []\n{}\n", line);
}

/// Loads options from a folder of its own; problems and warnings lose the folder's name.
struct OptionsFile {
    ScratchFolder folder;
    config::LoadOptions options;

    config::Loaded load(std::string_view text)
    {
        auto loaded = config::load_agent_config(folder.write("sonde.yaml", text), options);
        for (auto* list : {&loaded.problems, &loaded.warnings})
            for (std::string& line : *list)
                while (line.find(folder.path("")) != std::string::npos)
                    line.erase(line.find(folder.path("")), folder.path("").size());
        return loaded;
    }

    /// The options of a file that must be right.
    config::AgentConfig good(std::string_view text)
    {
        const auto loaded = load(text);
        for (const std::string& problem : loaded.problems)
            FAIL_CHECK(problem);
        return loaded.config;
    }

    std::vector<std::string> problems(std::string_view text) { return load(text).problems; }

    /// The only problem, for tables.
    std::string problem(std::string_view text)
    {
        const auto all = problems(text);
        return all.size() == 1 ? all.front()
                               : fmt::format("{} problems: {}", all.size(), fmt::join(all, " | "));
    }
};

}  // namespace sonde::tests
