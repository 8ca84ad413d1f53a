#pragma once

#include "agent/schedule/labels.h"
#include "agent/schedule/series_plan.h"
#include "checkers/observations.h"
#include "exporters/payload.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace sonde::schedule {

/// The series of a check, in the order of the wire (spec 03 §0 step 6, §2.6): the gauges of a run
/// with verdict and duration, sm_check_info, then what is derived across runs: histograms of the
/// durations and a summary of the verdicts (spec 03 §1.2).
///
/// Runs of a check differ in their values, seldom in their series: those are planned when they
/// change, and most checks of a fleet have the same. Lives as long as the check's version.
class CheckSeries {
public:
    /// `basic`: only what the basic set has. `plans` are those of the fleet.
    explicit CheckSeries(
        bool basic, std::shared_ptr<SeriesPlans> plans = std::make_shared<SeriesPlans>())
        : basic_{basic}, plans_{std::move(plans)}
    {}
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
        void write(std::vector<double>& values) const;
    };

    void plan(
        const checkers::Observations& observed, const std::shared_ptr<const Labelling>& labels);

    bool basic_;
    std::shared_ptr<SeriesPlans> plans_;
    std::shared_ptr<const SeriesPlan> plan_;  // null before the first run
    std::shared_ptr<const Labelling> labels_;
    std::shared_ptr<const exporters::Identities> series_;
    std::vector<Histogram*> histograms_;  // one for each of what is derived; null: the summary
    std::map<SeriesPlan::Key, Histogram> all_histograms_;
    double passed_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace sonde::schedule
