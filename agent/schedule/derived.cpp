#include "agent/schedule/derived.h"

#include "agent/base/text.h"

#include <algorithm>
#include <string_view>

namespace sonde::schedule {
namespace {

constexpr std::string_view success = "probe_success";
constexpr std::string_view duration = "probe_duration_seconds";

/// Texts of the bounds as client libraries write them; same order as Derived::bounds.
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

Sample sample(const std::string& name, const std::vector<Label>& own, double value)
{
    return {name, own, value};
}

}  // namespace

std::vector<Sample> gather(
    const checkers::Observations& observed, bool passed, double duration_seconds)
{
    std::vector<Sample> gauges;
    gauges.push_back(sample(std::string{success}, {}, passed ? 1 : 0));
    gauges.push_back(sample(std::string{duration}, {}, duration_seconds));
    for (const auto& observation : observed.samples()) {
        std::vector<Label> own;
        if (!observation.metric->labels.empty()) {
            const auto names = text::split(observation.metric->labels, ',');
            for (std::size_t i = 0; i < names.size(); ++i)
                own.push_back(
                    {std::string{names[i]}, text::repair_utf8(observation.label_values.at(i))});
        }
        std::sort(own.begin(), own.end());
        gauges.push_back(
            {std::string{observation.metric->name}, std::move(own), observation.value});
    }
    std::sort(gauges.begin(), gauges.end(), [](const Sample& a, const Sample& b) {
        return std::tie(a.name, a.own) < std::tie(b.name, b.own);
    });
    return gauges;
}

std::vector<Sample> Derived::observe(const std::vector<Sample>& gauges, bool basic)
{
    std::vector<Sample> out;
    for (const Sample& gauge : gauges) {
        if (gauge.name == success) {
            passed_ += gauge.value;
            ++runs_;
            out.push_back(sample("probe_all_success_sum", {}, passed_));
            out.push_back(sample("probe_all_success_count", {}, static_cast<double>(runs_)));
            continue;
        }
        std::string name = histogram_name(gauge.name);
        if (!name.empty() && (!basic || gauge.name == duration))
            observe_histogram({std::move(name), gauge.own}, gauge.value, out);
    }
    // Families by name: the suffixes of one family stay together, its label sets in order.
    const auto family = [](const Sample& s) {
        std::string_view name = s.name;
        for (const std::string_view suffix : {"_sum", "_count", "_bucket"})
            if (name.ends_with(suffix))
                name.remove_suffix(suffix.size());
        return name;
    };
    std::stable_sort(out.begin(), out.end(),
        [&](const Sample& a, const Sample& b) { return family(a) < family(b); });
    return out;
}

void Derived::observe_histogram(const Key& key, double value, std::vector<Sample>& into)
{
    Histogram& histogram = histograms_[key];
    histogram.sum += value;
    ++histogram.count;
    for (std::size_t i = 0; i < bounds.size(); ++i)
        if (value <= bounds[i])
            ++histogram.cumulative[i];
    const auto& [name, own] = key;
    into.push_back(sample(name + "_sum", own, histogram.sum));
    into.push_back(sample(name + "_count", own, static_cast<double>(histogram.count)));
    auto bucket = [&](std::string_view bound, std::uint64_t count) {
        auto labels = own;
        labels.push_back({"le", std::string{bound}});
        into.push_back(sample(name + "_bucket", labels, static_cast<double>(count)));
    };
    for (std::size_t i = 0; i < bounds.size(); ++i)
        bucket(bound_texts[i], histogram.cumulative[i]);
    bucket("+Inf", histogram.count);
}

}  // namespace sonde::schedule
