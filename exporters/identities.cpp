#include "exporters/identities.h"

#include "exporters/wire.h"

#include <algorithm>
#include <utility>

namespace sonde::exporters {
namespace {

void append_label(std::string& out, const Label& label)
{
    std::string part;
    wire::field_bytes(part, 1, label.name);
    wire::field_bytes(part, 2, label.value);
    wire::field_bytes(out, 1, part);
}

/// The content of a field that `bytes` begins with; it must be one. Takes it off.
std::string_view take_field(std::string_view& bytes)
{
    bytes.remove_prefix(1);  // the tag
    const auto size = static_cast<std::size_t>(wire::take_varint(bytes).value_or(0));
    const auto content = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return content;
}

}  // namespace

EncodedLabels::EncodedLabels(const LabelSet& labels)
{
    ends_.reserve(labels.size());
    for (const Label& label : labels) {
        append_label(bytes_, label);
        ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    }
    bytes_.shrink_to_fit();
}

SeriesShape::SeriesShape(std::vector<Series> series, const std::vector<std::string>& shared,
    const std::vector<std::string>& info)
{
    for (const Series& each : series) {
        const auto& others = each.info ? info : shared;
        merged_.push_back({static_cast<std::uint32_t>(pieces_.size()),
            static_cast<std::uint32_t>(own_.size()), each.info});
        for (auto own = each.own.begin(); own != each.own.end(); ++own) {
            const auto place = std::lower_bound(others.begin(), others.end(), own->name);
            if (place != others.end() && *place == own->name)
                continue;
            // What lies between the last own label and this one.
            if (const auto before = static_cast<std::uint32_t>(place - others.begin());
                before > 0 || pieces_.size() > merged_.back().first_piece)
                pieces_.push_back({static_cast<std::uint32_t>(own_.size()), before});
            append_label(own_, *own);
        }
        pieces_.push_back(
            {static_cast<std::uint32_t>(own_.size()), static_cast<std::uint32_t>(others.size())});
    }
    own_.shrink_to_fit();
    pieces_.shrink_to_fit();
    merged_.shrink_to_fit();
}

Identities::Identities(const std::vector<LabelSet>& series)
{
    std::vector<SeriesShape::Series> own;
    own.reserve(series.size());
    for (const LabelSet& labels : series)
        own.push_back({labels});
    shape_ = std::make_shared<const SeriesShape>(
        std::move(own), std::vector<std::string>{}, std::vector<std::string>{});
}

LabelSet Identities::labels(std::size_t series) const
{
    std::string encoded;
    encode(series, encoded);
    LabelSet labels;
    for (std::string_view rest = encoded; !rest.empty();) {
        std::string_view label = take_field(rest);
        const auto name = take_field(label);
        const auto value = take_field(label);
        labels.push_back({std::string{name}, std::string{value}});
    }
    return labels;
}

}  // namespace sonde::exporters
