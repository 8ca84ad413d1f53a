#pragma once

#include "tests/differential/blackbox.h"
#include "tests/differential/differences.h"
#include "tests/differential/facts.h"
#include "tests/support/http_rows.h"

#include <chrono>
#include <string>
#include <vector>

namespace sonde::tests {

/// The same check in our words and in theirs.
struct Pair {
    std::string name;    ///< a row of spec 02 §7, or what it says besides
    std::string ours;    ///< members of `settings.<kind>`, JSON
    std::string theirs;  ///< members of the module's prober, YAML in flow style
    std::string target;
    std::string their_target = {};  ///< empty: the same
    std::chrono::milliseconds timeout{3000};
    std::string_view ip_version = "V4";
};

/// Text in the quotes of JSON and of YAML.
std::string quoted(std::string_view text);

/// Runs checks here and in the package's exporter, and holds what they say against each other.
struct Comparison : HttpFixture {
    Blackbox blackbox{loop};

    /// Fails the test for a difference that allowed_differences() does not have, and for one of
    /// this program that it has and that does not show.
    void compare(Program program, const std::vector<Pair>& pairs);

private:
    void compare_one(Program program, const Pair& pair);
};

}  // namespace sonde::tests
