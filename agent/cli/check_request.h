#pragma once

#include "agent/base/error.h"
#include "config/schema.h"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli {

/// What `-o` takes (spec 06 §1.5).
inline constexpr std::array<std::string_view, 7> output_forms{
    "human", "json", "jsonl", "prom", "logfmt", "nagios", "curl"};

/// `sonde check`: what was asked for.
struct CheckOptions {
    std::string kind;
    std::string target;
    std::string file;      ///< of checks, instead of kind and target
    std::string only;      ///< job of the one check in `file` to run
    std::string settings;  ///< JSON of the kind's settings, or "@FILE"
    std::string timeout;   ///< a duration of 1 ms to 1 min; empty: 3 s, or what `file` says
    bool basic = false;    ///< the basic set of series
    bool only_v4 = false;
    bool only_v6 = false;
    std::string warn;             ///< a duration; longer runs are a warning
    std::string crit;             ///< longer runs are critical
    int count = 1;                ///< 0: until interrupted
    std::string interval = "1s";  ///< from start to start
    std::string output = "human";
    bool no_colour = false;
    bool verbose = false;

    /// What the handy flags make of the kind's settings: a JSON object. Null: none was given.
    std::shared_ptr<nlohmann::json> flags;
    std::vector<std::string> flags_used;  ///< "--record"; of other kinds, too
    std::vector<std::string> problems;    ///< values of flags that cannot be used
};

/// Limits of a run's duration for its verdict.
struct Limits {
    std::optional<std::chrono::milliseconds> warn;
    std::optional<std::chrono::milliseconds> crit;
};

/// All that `options` asks for.
struct CheckRequest {
    std::vector<pb::Check> checks;
    Limits limits;
    std::chrono::milliseconds interval{1000};
};

/// @return every problem, one line each, naming flag or field and the fix; empty: `request` is
/// complete.
std::vector<std::string> read_request(const CheckOptions& options, CheckRequest& request);

}  // namespace sonde::cli
