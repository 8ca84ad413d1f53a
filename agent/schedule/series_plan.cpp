#include "agent/schedule/series_plan.h"

#include "agent/base/text.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <tuple>

namespace sonde::schedule {
namespace {

using Series = exporters::SeriesShape::Series;

constexpr std::string_view success = "probe_success";
constexpr std::string_view duration = "probe_duration_seconds";
constexpr std::string_view summary = "probe_all_success";

/// Texts of the bounds as client libraries write them (spec 03 §1.2).
constexpr std::string_view bound_texts[] = {
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"};

/// "probe_x_all_duration_seconds" for "probe_x_duration_seconds"; empty when nothing is derived.
std::string histogram_name(std::string_view gauge)
{
    for (const std::string_view suffix : {"_duration_seconds", "_time_seconds"})
        if (gauge.ends_with(suffix))
            return std::string{gauge.substr(0, gauge.size() - suffix.size())}.append("_all").append(
                suffix);
    return {};
}

Series series(std::string_view name, const Labels& own)
{
    Labels labels{{"__name__", std::string{name}}};
    labels.insert(labels.end(), own.begin(), own.end());
    return {normalised(std::move(labels)), false};
}

std::vector<std::string> names_of(const Labels& labels)
{
    std::vector<std::string> names;
    names.reserve(labels.size());
    for (const Label& label : normalised(labels))
        names.push_back(label.name);
    return names;
}

Labels own_labels(const checkers::Metric& metric, const std::vector<std::string>& values)
{
    Labels own;
    if (metric.labels.empty())
        return own;
    const auto names = text::split(metric.labels, ',');
    for (std::size_t i = 0; i < names.size(); ++i)
        own.push_back({std::string{names[i]}, text::repair_utf8(values.at(i))});
    std::sort(own.begin(), own.end());
    return own;
}

struct Gauge {
    std::uint32_t place;
    std::string name;
    Labels own;
};

std::vector<Gauge> gauges_of(const SeriesBasis& basis)
{
    std::vector<Gauge> gauges{{0, std::string{success}, {}}, {1, std::string{duration}, {}}};
    for (const auto& [metric, values] : basis.observed)
        gauges.push_back({static_cast<std::uint32_t>(gauges.size()), std::string{metric->name},
            own_labels(*metric, values)});
    std::sort(gauges.begin(), gauges.end(), [](const Gauge& a, const Gauge& b) {
        return std::tie(a.name, a.own) < std::tie(b.name, b.own);
    });
    return gauges;
}

void add_histogram(const SeriesPlan::Key& key, std::vector<Series>& to)
{
    const auto& [name, own] = key;
    to.push_back(series(name + "_sum", own));
    to.push_back(series(name + "_count", own));
    for (const std::string_view bound : bound_texts) {
        Labels of_bucket = own;
        of_bucket.push_back({"le", std::string{bound}});
        to.push_back(series(name + "_bucket", of_bucket));
    }
}

std::size_t hash_of(const SeriesBasis& basis)
{
    std::size_t mixed = basis.basic ? 1 : 0;
    const auto mix = [&](std::size_t more) { mixed = (mixed ^ more) * 0x9e3779b97f4a7c15U; };
    for (const auto& [metric, values] : basis.observed) {
        mix(std::hash<const void*>{}(metric));
        for (const std::string& value : values)
            mix(std::hash<std::string>{}(value));
    }
    for (const auto* names : {&basis.shared, &basis.info})
        for (const std::string& name : *names)
            mix(std::hash<std::string>{}(name));
    return mixed;
}

}  // namespace

SeriesBasis::SeriesBasis(
    const checkers::Observations& run, const Labelling& labels, bool only_basic)
    : shared{names_of(labels.execution)}, info{names_of(*labels.info)}, basic{only_basic}
{
    observed.reserve(run.samples().size());
    for (const auto& sample : run.samples())
        observed.emplace_back(sample.metric, sample.label_values);
}

bool SeriesBasis::fits(const checkers::Observations& run) const
{
    const auto& samples = run.samples();
    return std::equal(samples.begin(), samples.end(), observed.begin(), observed.end(),
        [](const auto& sample, const auto& known) {
            return sample.metric == known.first && sample.label_values == known.second;
        });
}

SeriesPlan::SeriesPlan(SeriesBasis its_basis) : basis{std::move(its_basis)}
{
    std::vector<Series> all;
    for (const Gauge& gauge : gauges_of(basis)) {
        gauges.push_back(gauge.place);
        all.push_back(series(gauge.name, gauge.own));
        std::string name =
            gauge.name == success ? std::string{summary} : histogram_name(gauge.name);
        if (name == summary || (!name.empty() && (!basis.basic || gauge.name == duration)))
            derived.push_back({gauge.place, Key{std::move(name), gauge.own}});
    }
    all.push_back({Labels{{"__name__", "sm_check_info"}}, true});  // after every probe_…: by name
    std::sort(derived.begin(), derived.end(),
        [](const Derived& a, const Derived& b) { return a.key < b.key; });
    for (Derived& each : derived) {
        if (each.key.first == summary) {
            all.push_back(series("probe_all_success_sum", {}));
            all.push_back(series("probe_all_success_count", {}));
            each.key = {};
        } else {
            add_histogram(each.key, all);
        }
    }
    shape =
        std::make_shared<const exporters::SeriesShape>(std::move(all), basis.shared, basis.info);
}

std::shared_ptr<const SeriesPlan> SeriesPlans::get(SeriesBasis basis)
{
    const std::size_t hash = hash_of(basis);
    const auto [first, last] = plans_.equal_range(hash);
    for (auto known = first; known != last; ++known)
        if (auto plan = known->second.lock(); plan && plan->basis == basis)
            return plan;
    if (plans_.size() >= sweep_at_)
        sweep();
    auto plan = std::make_shared<const SeriesPlan>(std::move(basis));
    plans_.emplace(hash, plan);
    return plan;
}

/// Forgets plans that no check has any more.
void SeriesPlans::sweep()
{
    std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, plans_.size() * 2);
}

}  // namespace sonde::schedule
