#pragma once

#include "agent/schedule/labels.h"
#include "checkers/observations.h"
#include "exporters/identities.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sonde::schedule {

/// What decides which series a run has.
struct SeriesBasis {
    SeriesBasis(const checkers::Observations& observed, const Labelling& labels, bool basic);

    /// Whether a run of the same labels and the same set has these series again.
    bool fits(const checkers::Observations& run) const;
    bool operator==(const SeriesBasis&) const = default;

    std::vector<std::pair<const checkers::Metric*, std::vector<std::string>>> observed;
    std::vector<std::string> shared;  ///< sorted names of the labels of all series
    std::vector<std::string> info;    ///< of sm_check_info
    bool basic;                       ///< only what the basic set has
};

/// Which series a run has, in the order of the wire (spec 03 §0 step 6, §2.6), and where their
/// values come from.
struct SeriesPlan {
    explicit SeriesPlan(SeriesBasis its_basis);

    using Key = std::pair<std::string, Labels>;  ///< name without suffix, own labels
    struct Derived {
        std::uint32_t place;  ///< among the values of a run: verdict, duration, then the observed
        Key key;              ///< of a histogram; empty: the summary of the verdicts
    };

    SeriesBasis basis;
    std::vector<std::uint32_t> gauges;  ///< places of the gauges' values
    std::vector<Derived> derived;
    std::shared_ptr<const exporters::SeriesShape> shape;
};

/// One plan for all checks whose runs measure the same: a fleet has few of them. Loop thread only.
class SeriesPlans {
public:
    std::shared_ptr<const SeriesPlan> get(SeriesBasis basis);

private:
    void sweep();

    std::unordered_multimap<std::size_t, std::weak_ptr<const SeriesPlan>> plans_;
    std::size_t sweep_at_ = 64;
};

}  // namespace sonde::schedule
