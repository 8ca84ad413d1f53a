#include "config/schema.h"
#include "config/yaml_json.h"

#include <doctest/doctest.h>

using namespace sonde;

namespace {

/// The problems that a check in YAML has.
std::vector<std::string> problems_of(const std::string& yaml)
{
    config::Reading reading{"checks.yaml", "/", {}, {}, false};
    config::yaml_to_json(YAML::Load(yaml), reading, "", pb::Check::descriptor());
    return reading.problems;
}

/// Lists of aliases of lists: 10 to the power of `levels` values.
std::string alias_bomb(int levels)
{
    std::string yaml = "probes:\n  - &a0 [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]\n";
    for (int i = 1; i < levels; ++i) {
        yaml += fmt::format("  - &a{} [", i);
        for (int k = 0; k < 10; ++k)
            yaml += fmt::format("{}*a{}", k == 0 ? "" : ", ", i - 1);
        yaml += "]\n";
    }
    return yaml;
}

}  // namespace

TEST_SUITE("config")
{
    TEST_CASE("aliases may repeat a part, but not without end")
    {
        CHECK(problems_of(alias_bomb(3)).empty());
        for (const std::string& yaml : {alias_bomb(9), std::string{"probes: &a [*a, *a]\n"}}) {
            CAPTURE(yaml);
            CHECK(problems_of(yaml).size() == 1);
        }
    }

    TEST_CASE("U+0000 is refused where it stands")
    {
        CHECK(
            problems_of("target: \"a\\0\"\n") ==
            std::vector<std::string>{"checks.yaml:1: target: the character U+0000 is not allowed"});
        CHECK(problems_of("\"job\\0\": a\n") ==
              std::vector<std::string>{"checks.yaml:1: a key must be a single word"});
    }

    TEST_CASE("what the YAML library makes broken UTF-8 of is refused where it stands")
    {
        CHECK(problems_of("target: \"\\N\"\n") ==
              std::vector<std::string>{"checks.yaml:1: target: not valid UTF-8"});
        CHECK(problems_of("job: {\"\\N\": a}\n") ==
              std::vector<std::string>{"checks.yaml:1: job: a key must be a single word"});
    }
}
