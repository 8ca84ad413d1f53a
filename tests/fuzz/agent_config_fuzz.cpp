// The options file: config/agent_config with all sections below it, config/checks_file too.
#include "agent/base/text.h"
#include "config/agent_config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/scratch_file.h"

#include <set>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace sonde;
    static const fuzz::ScratchFile scratch{"sonde.yaml"};
    const auto text = fuzz::Input{data, size}.rest();
    // Such an input could name any file of this machine, and devices that never end.
    if (text.find("file") != std::string_view::npos && text.find('/') != std::string_view::npos)
        return 0;
    const std::string path = scratch.write(text);
    const auto loaded = config::load_agent_config(path, {false, {{"NAME", "value"}}, {}});

    for (const std::string& problem : loaded.problems)
        fuzz::require(problem.starts_with(path), "a problem says where it is");
    if (!loaded.problems.empty())
        return 0;
    std::set<std::int64_t> ids;
    for (const auto& check : loaded.config.checks) {
        fuzz::require(check.enabled() && ids.insert(check.id()).second, "ids are unique");
        fuzz::require(check.timeout() >= 1000 && check.timeout() <= check.frequency(),
            "a check is within its limits");
        fuzz::require(
            text::is_utf8(check.job()) && text::is_utf8(check.target()), "texts are UTF-8");
    }
    return 0;
}
