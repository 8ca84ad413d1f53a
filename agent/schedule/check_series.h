#pragma once

#include "agent/schedule/labels.h"
#include "checkers/observations.h"
#include "exporters/payload.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sonde::schedule {

/// The series of a check, in the order of the wire (spec 03 §0 step 6, §2.6): the gauges of a run
/// with verdict and duration, sm_check_info, then what is derived across runs: histograms of the
/// durations and a summary of the verdicts (spec 03 §1.2).
///
/// Runs of a check differ in their values, seldom in their series: names and labels are put
/// together and encoded when they change. Lives as long as the check's version.
class CheckSeries {
public:
    /// `basic`: only what the basic set has.
    explicit CheckSeries(bool basic) : basic_{basic} {}
    CheckSeries(const CheckSeries&) = delete;
    CheckSeries& operator=(const CheckSeries&) = delete;

    /// Takes a run in and writes its series into `payload`. `labels` are those of all series.
    void take(const checkers::Observations& observed, bool passed, double duration_seconds,
        const std::shared_ptr<const Labelling>& labels, exporters::Payload& payload);

private:
    static constexpr std::array<double, 11> bounds{
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

    struct Histogram {
        double sum = 0;
        std::uint64_t count = 0;
        std::array<std::uint64_t, bounds.size()> cumulative{};  ///< runs of at most the bound

        void observe(double value);
    };
    using Key = std::pair<std::string, Labels>;  ///< name without suffix, own labels

    /// Which gauges a run has, and in which order they come.
    struct Shape {
        std::vector<std::pair<const checkers::Metric*, std::vector<std::string>>> observed;
        std::shared_ptr<const Labelling> labels;
        std::vector<std::size_t> gauges;  ///< places in all values of a run, see take()
        struct Derived {
            std::size_t gauge;     ///< what it observes
            Histogram* histogram;  ///< null: the summary
        };
        std::vector<Derived> derived;
        std::shared_ptr<const exporters::Identities> series;
    };

    bool fits(const checkers::Observations& observed,
        const std::shared_ptr<const Labelling>& labels) const;
    void shape(
        const checkers::Observations& observed, const std::shared_ptr<const Labelling>& labels);
    void add_histogram(const Key& key, const Labelling& labels, exporters::Identities& into);

    bool basic_;
    Shape shape_;
    std::map<Key, Histogram> histograms_;
    double passed_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace sonde::schedule
