#include "agent/schedule/check_series.h"

#include "agent/base/text.h"

#include <algorithm>
#include <string_view>

namespace sonde::schedule {
namespace {

constexpr std::string_view success = "probe_success";
constexpr std::string_view duration = "probe_duration_seconds";
constexpr std::string_view summary = "probe_all_success";

/// Texts of the bounds as client libraries write them; same order as CheckSeries::bounds.
constexpr std::string_view bound_texts[] = {
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"};

/// "probe_x_all_duration_seconds" for "probe_x_duration_seconds"; empty when nothing is derived.
std::string histogram_name(std::string_view gauge)
{
    for (const std::string_view suffix : {"_duration_seconds", "_time_seconds"})
        if (gauge.ends_with(suffix))
            return std::string{gauge.substr(0, gauge.size() - suffix.size())}.append("_all").append(
                suffix);
    return {};
}

exporters::Identity identity(std::string_view name, const Labels& own, const Labels& common)
{
    Labels labels;
    labels.reserve(1 + common.size() + own.size());
    labels.push_back({"__name__", std::string{name}});
    labels.insert(labels.end(), common.begin(), common.end());
    labels.insert(labels.end(), own.begin(), own.end());
    return exporters::Identity{normalised(std::move(labels))};
}

Labels own_labels(const checkers::Observations::Sample& sample)
{
    Labels own;
    if (sample.metric->labels.empty())
        return own;
    const auto names = text::split(sample.metric->labels, ',');
    for (std::size_t i = 0; i < names.size(); ++i)
        own.push_back({std::string{names[i]}, text::repair_utf8(sample.label_values.at(i))});
    std::sort(own.begin(), own.end());
    return own;
}

/// A gauge of a run: its place among all values is that of the verdict, the duration, then of what
/// was observed.
struct Gauge {
    std::size_t place;
    std::string name;
    Labels own;
};

std::vector<Gauge> gauges_of(const checkers::Observations& observed)
{
    std::vector<Gauge> gauges{{0, std::string{success}, {}}, {1, std::string{duration}, {}}};
    for (const auto& sample : observed.samples())
        gauges.push_back({gauges.size(), std::string{sample.metric->name}, own_labels(sample)});
    std::sort(gauges.begin(), gauges.end(), [](const Gauge& a, const Gauge& b) {
        return std::tie(a.name, a.own) < std::tie(b.name, b.own);
    });
    return gauges;
}

}  // namespace

void CheckSeries::Histogram::observe(double value)
{
    sum += value;
    ++count;
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (value <= bounds[i])
            ++cumulative[i];
}

void CheckSeries::take(const checkers::Observations& observed, bool passed, double duration_seconds,
    const std::shared_ptr<const Labelling>& labels, exporters::Payload& payload)
{
    if (!fits(observed, labels))
        shape(observed, labels);
    const auto value = [&](std::size_t place) {
        return place == 0   ? (passed ? 1.0 : 0.0)
               : place == 1 ? duration_seconds
                            : observed.samples()[place - 2].value;
    };
    payload.series = shape_.series;
    std::vector<double>& values = payload.values;
    values.clear();
    values.reserve(shape_.series->size());
    for (const std::size_t place : shape_.gauges)
        values.push_back(value(place));
    values.push_back(1);  // sm_check_info
    for (const Shape::Derived& derived : shape_.derived) {
        if (derived.histogram == nullptr) {
            passed_ += value(derived.gauge);
            values.push_back(passed_);
            values.push_back(static_cast<double>(++runs_));
            continue;
        }
        Histogram& histogram = *derived.histogram;
        histogram.observe(value(derived.gauge));
        values.push_back(histogram.sum);
        values.push_back(static_cast<double>(histogram.count));
        for (const std::uint64_t count : histogram.cumulative)
            values.push_back(static_cast<double>(count));
        values.push_back(static_cast<double>(histogram.count));
    }
}

bool CheckSeries::fits(
    const checkers::Observations& observed, const std::shared_ptr<const Labelling>& labels) const
{
    const auto& samples = observed.samples();
    return shape_.series && shape_.labels == labels &&
           std::equal(samples.begin(), samples.end(), shape_.observed.begin(),
               shape_.observed.end(), [](const auto& sample, const auto& known) {
                   return sample.metric == known.first && sample.label_values == known.second;
               });
}

void CheckSeries::shape(
    const checkers::Observations& observed, const std::shared_ptr<const Labelling>& labels)
{
    shape_ = {};
    shape_.labels = labels;
    for (const auto& sample : observed.samples())
        shape_.observed.emplace_back(sample.metric, sample.label_values);
    exporters::Identities all;
    std::vector<std::pair<Key, std::size_t>> derived;
    for (const Gauge& gauge : gauges_of(observed)) {
        shape_.gauges.push_back(gauge.place);
        all.push_back(identity(gauge.name, gauge.own, labels->execution));
        std::string name =
            gauge.name == success ? std::string{summary} : histogram_name(gauge.name);
        if (name == summary || (!name.empty() && (!basic_ || gauge.name == duration)))
            derived.emplace_back(Key{std::move(name), gauge.own}, gauge.place);
    }
    all.push_back(identity("sm_check_info", {}, *labels->info));  // after every probe_…: by name
    std::sort(derived.begin(), derived.end());
    for (const auto& [key, place] : derived) {
        if (key.first == summary) {
            all.push_back(identity("probe_all_success_sum", {}, labels->execution));
            all.push_back(identity("probe_all_success_count", {}, labels->execution));
            shape_.derived.push_back({place, nullptr});
            continue;
        }
        add_histogram(key, *labels, all);
        shape_.derived.push_back({place, &histograms_[key]});
    }
    shape_.series = std::make_shared<const exporters::Identities>(std::move(all));
}

void CheckSeries::add_histogram(
    const Key& key, const Labelling& labels, exporters::Identities& into)
{
    const auto& [name, own] = key;
    into.push_back(identity(name + "_sum", own, labels.execution));
    into.push_back(identity(name + "_count", own, labels.execution));
    const auto bucket = [&](std::string_view bound) {
        Labels of_bucket = own;
        of_bucket.push_back({"le", std::string{bound}});
        into.push_back(identity(name + "_bucket", of_bucket, labels.execution));
    };
    for (const std::string_view bound : bound_texts)
        bucket(bound);
    bucket("+Inf");
}

}  // namespace sonde::schedule
