#pragma once

#include "agent/cli/outcome.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli {

/// How the output for people may look.
struct Style {
    bool colour = false;
    bool bars = false;  ///< a picture of the phases
    int columns = 80;

    /// That of standard output: colour and bars on a terminal alone, no colour with NO_COLOR.
    static Style of_terminal(bool no_colour);
};

/// For people: verdict first, then the evidence and what to try next (spec 06 §1.2). No line is
/// wider than `style.columns`, down to 60, but for a command or a word that is longer by itself.
std::string render_human(const Outcome& outcome, const Style& style, bool verbose = false);

/// One line for a run among many.
std::string render_row(const Outcome& outcome, const Style& style);

/// For scripts: one JSON object, `schema_version` 1 (spec 06 §1.5); on one line or indented.
std::string render_json(const Outcome& outcome, bool one_line);

/// `KIND OK - what | time=…` for Icinga and Nagios (spec 06 §1.5).
std::string render_nagios(const Outcome& outcome);

/// The variables of `curl -w`, "name: value" each.
std::string render_curl(const Outcome& outcome);

/// What the daemon would push for the check: series in the exposition format, or lines for Loki.
/// Keeps what is derived across runs.
class Pushed {
public:
    Pushed();
    ~Pushed();
    Pushed(const Pushed&) = delete;
    Pushed& operator=(const Pushed&) = delete;

    void take(const Outcome& outcome);
    std::string series() const;  ///< of the last run of each check
    std::string lines() const;   ///< of the last run taken
    /// How many series one run of the check has.
    static std::size_t count(const Outcome& outcome, bool basic);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Figures of the runs of one check, for people.
class Statistics {
public:
    void take(const Outcome& outcome);
    std::string text(std::string_view target, const Style& style) const;

private:
    int runs_ = 0;
    int passed_ = 0;
    std::vector<double> seconds_;  // of runs that passed
};

/// "142 ms"
std::string duration_text(double seconds);
/// The value of a series without labels; fallback when it is not there.
double series_value(const checkers::Report& report, std::string_view name, double fallback = 0);

}  // namespace sonde::cli
