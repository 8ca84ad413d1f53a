#include "agent/schedule/check_series.h"

namespace sonde::schedule {

void CheckSeries::Histogram::observe(double value)
{
    sum += value;
    ++count;
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (value <= bounds[i])
            ++cumulative[i];
}

void CheckSeries::Histogram::write(std::vector<double>& values) const
{
    values.push_back(sum);
    values.push_back(static_cast<double>(count));
    for (const std::uint64_t runs : cumulative)
        values.push_back(static_cast<double>(runs));
    values.push_back(static_cast<double>(count));
}

void CheckSeries::take(const checkers::Observations& observed, bool passed, double duration_seconds,
    const std::shared_ptr<const Labelling>& labels, exporters::Payload& payload)
{
    if (!plan_ || labels_ != labels || !plan_->basis.fits(observed))
        plan(observed, labels);
    const auto value = [&](std::size_t place) {
        return place == 0   ? (passed ? 1.0 : 0.0)
               : place == 1 ? duration_seconds
                            : observed.samples()[place - 2].value;
    };
    payload.series = series_;
    std::vector<double>& values = payload.values;
    values.clear();
    values.reserve(series_->size());
    for (const std::size_t place : plan_->gauges)
        values.push_back(value(place));
    values.push_back(1);  // sm_check_info
    for (std::size_t i = 0; i < histograms_.size(); ++i) {
        const double observation = value(plan_->derived[i].place);
        if (histograms_[i] == nullptr) {
            passed_ += observation;
            values.push_back(passed_);
            values.push_back(static_cast<double>(++runs_));
            continue;
        }
        histograms_[i]->observe(observation);
        histograms_[i]->write(values);
    }
}

void CheckSeries::plan(
    const checkers::Observations& observed, const std::shared_ptr<const Labelling>& labels)
{
    plan_ = plans_->get(SeriesBasis{observed, *labels, basic_});
    labels_ = labels;
    series_ = std::make_shared<const exporters::Identities>(plan_->shape,
        exporters::EncodedLabels{normalised(labels->execution)},
        exporters::EncodedLabels{normalised(*labels->info)});
    histograms_.clear();
    for (const SeriesPlan::Derived& derived : plan_->derived)
        histograms_.push_back(derived.key.first.empty() ? nullptr : &all_histograms_[derived.key]);
}

}  // namespace sonde::schedule
