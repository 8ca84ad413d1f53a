#include "agent/schedule/labels.h"

#include "agent/base/logfmt.h"
#include "agent/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sonde::schedule {
namespace {

constexpr std::size_t longest_value = 2048;
constexpr std::int64_t dual_write_ceiling = 40;

constexpr std::array<std::string_view, 30> reserved = {"check", "check_name", "cipher",
    "config_version", "execution_id", "fingerprint_sha256", "frequency", "geohash", "instance",
    "issuer", "job", "le", "method", "name", "phase", "probe", "probe_success", "proto", "rating",
    "result", "scenario", "serialnumber", "sm_region", "source", "status", "subject",
    "subjectalternative", "tls_version", "url", "version"};
static_assert(std::is_sorted(reserved.begin(), reserved.end()));

Label label(std::string_view name, std::string_view value)
{
    return {std::string{name}, text::repair_utf8(value)};
}

/// Probe labels, then check labels; a check's value takes the place of a probe's (spec 03 §2.4).
Labels user_labels(const LabelSource& source)
{
    Labels merged;
    auto merge = [&](const pb::Label& next) {
        const auto same = std::find_if(merged.begin(), merged.end(),
            [&](const Label& known) { return known.name == next.name(); });
        if (same == merged.end())
            merged.push_back(label(next.name(), next.value()));
        else
            same->value = text::repair_utf8(next.value());
    };
    std::for_each(source.probe.labels().begin(), source.probe.labels().end(), merge);
    std::for_each(source.check.labels().begin(), source.check.labels().end(), merge);
    return merged;
}

Labels prefixed(const Labels& user)
{
    Labels out;
    for (const Label& each : user)
        out.push_back({"label_" + each.name, each.value});
    return out;
}

/// Without those that would be taken for ours, or for Prometheus' own.
Labels bare(const Labels& user)
{
    Labels out;
    std::copy_if(user.begin(), user.end(), std::back_inserter(out),
        [](const Label& each) { return !is_reserved(each.name) && !each.name.starts_with("__"); });
    return out;
}

Labels user_labels_in(const LabelSource& source, pb::LabelMode mode)
{
    const Labels user = user_labels(source);
    if (mode == pb::LABEL_MODE_UNPREFIXED)
        return bare(user);
    Labels out = prefixed(user);
    if (mode == pb::LABEL_MODE_DUAL_WRITE)
        for (Label& each : bare(user))
            out.push_back(std::move(each));
    return out;
}

Label region_label(const pb::Probe& probe, pb::LabelMode mode)
{
    if (mode == pb::LABEL_MODE_PREFIXED)
        return label("region", probe.region());
    return label("sm_region", probe.region().empty() ? "unset" : probe.region());
}

}  // namespace

bool is_reserved(std::string_view name)
{
    return std::binary_search(reserved.begin(), reserved.end(), name);
}

std::string config_version(double modified)
{
    return std::to_string(static_cast<std::int64_t>(modified * 1e9));
}

std::string geohash(double latitude, double longitude)
{
    const auto cell = [](double x, double range) {
        const double steps = std::trunc((x + range) / (2 * range) * 4294967296.0);
        return static_cast<std::uint32_t>(std::clamp(steps, 0.0, 4294967295.0));
    };
    const std::uint32_t row = cell(latitude, 90);
    const std::uint32_t column = cell(longitude, 180);
    std::uint64_t bits = 0;
    for (unsigned i = 32; i-- > 0;)
        bits = bits << 2U | (column >> i & 1U) << 1U | (row >> i & 1U);
    constexpr std::string_view alphabet = "0123456789bcdefghjkmnpqrstuvwxyz";
    std::string out;
    for (unsigned i = 1; i <= 12; ++i)
        out += alphabet[bits >> (64U - 5U * i) & 31U];
    return out;
}

Labels execution_labels(const LabelSource& source, pb::LabelMode mode)
{
    Labels out;
    if (mode != pb::LABEL_MODE_PREFIXED)
        out = bare(user_labels(source));
    out.push_back(label("probe", source.probe.name()));
    out.push_back(label("config_version", config_version(source.check.modified())));
    out.push_back(label("instance", source.check.target()));
    out.push_back(label("job", source.check.job()));
    return out;
}

Result<Labels> check_info_labels(
    const LabelSource& source, pb::LabelMode mode, std::int64_t max_metric_labels)
{
    Labels out = user_labels_in(source, mode);
    out.push_back(label("probe", source.probe.name()));
    out.push_back(label("config_version", config_version(source.check.modified())));
    out.push_back(label("instance", source.check.target()));
    out.push_back(label("job", source.check.job()));
    out.push_back(label("check_name", source.kind));
    out.push_back(region_label(source.probe, mode));
    out.push_back(label("frequency", std::to_string(source.check.frequency())));
    out.push_back(label("geohash", geohash(source.probe.latitude(), source.probe.longitude())));
    const std::string& sensitivity = source.check.alertsensitivity();
    if (!sensitivity.empty() && sensitivity != "none")
        out.push_back(label("alert_sensitivity", sensitivity));
    out = normalised(std::move(out));
    const std::int64_t limit =
        mode == pb::LABEL_MODE_DUAL_WRITE
            ? 2 * std::clamp<std::int64_t>(max_metric_labels, 0, dual_write_ceiling / 2)
            : max_metric_labels;
    if (static_cast<std::int64_t>(out.size()) > limit)
        return error("too_many_labels",
            "sm_check_info would have {} labels, the tenant may have {}", out.size(), limit);
    return out;
}

Labels log_labels(const LabelSource& source, pb::LabelMode mode)
{
    Labels out;
    out.push_back(label("probe", source.probe.name()));
    out.push_back(region_label(source.probe, mode));
    out.push_back(label("instance", source.check.target()));
    out.push_back(label("job", source.check.job()));
    out.push_back(label("check_name", source.kind));
    out.push_back(label("source", "synthetic-monitoring-agent"));
    for (Label& user : user_labels_in(source, mode)) {
        const auto same = std::find_if(
            out.begin(), out.end(), [&](const Label& known) { return known.name == user.name; });
        if (same == out.end())
            out.push_back(std::move(user));
        else
            same->value = std::move(user.value);
    }
    return out;
}

Labelling::Labelling(
    const LabelSource& source, std::string_view pointed_at, const exporters::Tenant& for_whom)
    : mode{for_whom.label_mode}, max_metric_labels{for_whom.max_metric_labels},
      max_log_labels{for_whom.max_log_labels}, execution{execution_labels(source, mode)},
      info{check_info_labels(source, mode, max_metric_labels)}
{
    const Labels all = log_labels(source, mode);
    logfmt::append(context, "target", text::repair_utf8(pointed_at));
    for (const Label& each : all)
        logfmt::append(context, each.name, each.value);
    const auto room = static_cast<std::size_t>(std::max<std::int64_t>(max_log_labels, 1) - 1);
    const auto kept = all.begin() + static_cast<std::ptrdiff_t>(std::min(room, all.size()));
    stream.assign(all.begin(), kept);
    overflow.assign(kept, all.end());
}

bool Labelling::holds_for(const exporters::Tenant& tenant) const
{
    return mode == tenant.label_mode && max_metric_labels == tenant.max_metric_labels &&
           max_log_labels == tenant.max_log_labels;
}

Labels normalised(Labels labels)
{
    std::stable_sort(labels.begin(), labels.end(),
        [](const Label& a, const Label& b) { return a.name < b.name; });
    labels.erase(std::unique(labels.begin(), labels.end(),
                     [](const Label& a, const Label& b) { return a.name == b.name; }),
        labels.end());
    for (Label& each : labels)
        if (each.value.size() > longest_value)
            each.value = text::shorten(each.value, longest_value);
    return labels;
}

}  // namespace sonde::schedule
