#pragma once

#include <string>

namespace CLI {
class App;
}

namespace sonde::cli {

/// `sonde check KIND TARGET`: what was asked for.
struct CheckOptions {
    std::string kind;
    std::string target;
    std::string settings;        ///< JSON of the kind's settings, or "@FILE"
    std::string timeout = "3s";  ///< a duration of 1 ms to 1 min
    bool only_v4 = false;
    bool only_v6 = false;
    std::string output = "human";
};

/// Exit statuses of the monitoring-plugin convention (spec 06 §1.4).
enum class CheckStatus : int { ok = 0, warning = 1, critical = 2, unknown = 3 };

CLI::App* add_check_verb(CLI::App& app, CheckOptions& options);

/// Runs the check now and prints what came of it.
CheckStatus run_check_verb(const CheckOptions& options);

}  // namespace sonde::cli
