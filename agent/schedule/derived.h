#pragma once

#include "checkers/observations.h"
#include "exporters/payload.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sonde::schedule {

using exporters::Label;

/// A series before it gets the labels of its check.
struct Sample {
    std::string name;
    std::vector<Label> own;  ///< its own labels, sorted by name; `le` comes last
    double value = 0;
};

/// The gauges of a run with verdict and duration, families by name and within a family by labels
/// (spec 03 §0 step 6, §2.6).
std::vector<Sample> gather(
    const checkers::Observations& observed, bool success, double duration_seconds);

/// The series derived across all runs of a check: histograms of the durations, a summary of the
/// verdicts (spec 03 §1.2). Lives as long as the check's version.
class Derived {
public:
    /// Takes a run in. @return the derived samples it brings, families by name. `basic`: only
    /// what the basic set has.
    std::vector<Sample> observe(const std::vector<Sample>& gauges, bool basic);

private:
    static constexpr std::array<double, 11> bounds{
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

    struct Histogram {
        double sum = 0;
        std::uint64_t count = 0;
        std::array<std::uint64_t, bounds.size()> cumulative{};
    };
    using Key = std::pair<std::string, std::vector<Label>>;

    void observe_histogram(const Key& key, double value, std::vector<Sample>& into);

    std::map<Key, Histogram> histograms_;
    double passed_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace sonde::schedule
