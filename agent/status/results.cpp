#include "agent/status/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace sonde::status {
namespace {

struct Sample {
    exporters::LabelSet labels;
    double value;
};

void append_escaped(std::string& text, std::string_view value)
{
    for (const char c : value)
        if (c == '\n')
            text += "\\n";
        else if (c == '\\' || c == '"')
            text += {'\\', c};
        else
            text += c;
}

void append_value(std::string& text, double value)
{
    if (std::isnan(value))
        text += "NaN";
    else if (std::isinf(value))
        text += value > 0 ? "+Inf" : "-Inf";
    else
        fmt::format_to(std::back_inserter(text), "{}", value);
}

void append_sample(std::string& text, std::string_view name, const Sample& sample)
{
    text += name;
    char before = '{';
    for (const auto& [label, value] : sample.labels) {
        if (label == "__name__")
            continue;
        text += before;
        text += label;
        text += "=\"";
        append_escaped(text, value);
        text += '"';
        before = ',';
    }
    text += before == ',' ? "} " : " ";
    append_value(text, sample.value);
    text += '\n';
}

std::string name_of(const exporters::LabelSet& labels)
{
    const auto found = std::find_if(labels.begin(), labels.end(),
        [](const exporters::Label& label) { return label.name == "__name__"; });
    return found == labels.end() ? std::string{} : found->value;
}

/// Numbers of the API and of the file may coincide.
std::string text_of(exporters::TenantKey tenant)
{
    return fmt::format("{}/{}", exporters::name_of(tenant.origin), tenant.id);
}

/// Checks of two tenants may be alike. What a user calls "tenant" steps aside, as when Prometheus
/// scrapes a label of its own.
void add_tenant(exporters::LabelSet& labels, const std::string& tenant)
{
    for (exporters::Label& label : labels)
        if (label.name == "tenant")
            label.name = "exported_tenant";
    labels.push_back({"tenant", tenant});
}

}  // namespace

std::string render_results(std::span<const exporters::Payload> results)
{
    std::map<std::string, std::vector<Sample>> by_name;
    std::unordered_set<std::string> seen;
    for (const exporters::Payload& result : results) {
        const std::string tenant = text_of(result.tenant);
        for (std::size_t i = 0; i < result.values.size(); ++i) {
            auto labels = result.series->labels(i);
            const std::string name = name_of(labels);
            std::string encoded = tenant;
            result.series->encode(i, encoded);
            if (!name.empty() && seen.insert(std::move(encoded)).second) {
                add_tenant(labels, tenant);
                by_name[name].push_back({std::move(labels), result.values[i]});
            }
        }
    }
    std::string text;
    for (const auto& [name, samples] : by_name) {
        fmt::format_to(std::back_inserter(text), "# TYPE {} untyped\n", name);
        for (const Sample& sample : samples)
            append_sample(text, name, sample);
    }
    return text;
}

}  // namespace sonde::status
