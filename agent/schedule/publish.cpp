#include "agent/schedule/publish.h"

#include "agent/base/logfmt.h"
#include "agent/base/text.h"

#include <algorithm>
#include <bit>
#include <random>

namespace sonde::schedule {
namespace {

constexpr std::size_t longest_line = 64 * 1024;
// Prometheus' stale marker, a signalling NaN: only ever copied, never calculated with.
constexpr auto stale_bits = std::uint64_t{0x7ff0000000000002};

exporters::Series series(std::string_view name, Labels own, const Labels& common, double value)
{
    Labels labels;
    labels.reserve(1 + common.size() + own.size());
    labels.push_back({"__name__", std::string{name}});
    labels.insert(labels.end(), common.begin(), common.end());
    labels.insert(
        labels.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
    return {normalised(std::move(labels)), value};
}

std::string_view level_text(const checkers::LogEntry& entry)
{
    static constexpr std::string_view lower[] = {"debug", "info", "warn", "error"};
    static constexpr std::string_view upper[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    const auto index = static_cast<std::size_t>(entry.level);
    return entry.layout == checkers::LogEntry::Layout::structured ? upper[index] : lower[index];
}

std::string line_of(const checkers::LogEntry& entry, std::string_view context)
{
    std::string line;
    auto add_context = [&] {
        if (!line.empty() && !context.empty())
            line += ' ';
        line += context;
    };
    if (entry.layout == checkers::LogEntry::Layout::structured) {
        add_context();
        logfmt::append(line, "level", level_text(entry));
    } else {
        logfmt::append(line, "level", level_text(entry));
        add_context();
    }
    logfmt::append(line, "msg", entry.message);
    for (const checkers::LogField& field : entry.fields)
        logfmt::append(line, field.key, field.value);
    line += '\n';
    return line;
}

exporters::LogStream to_stream(
    std::vector<checkers::LogEntry> entries, const PublishContext& context, bool passed)
{
    exporters::LogStream stream;
    const Labels all = log_labels(context.source, context.tenant.label_mode);
    std::string of_check;
    logfmt::append(of_check, "target", text::repair_utf8(context.pointed_at));
    for (const Label& label : all)
        logfmt::append(of_check, label.name, label.value);
    for (const checkers::LogEntry& entry : entries)
        stream.lines.push_back({entry.time, log_line(entry, of_check)});

    const auto room =
        static_cast<std::size_t>(std::max<std::int64_t>(context.tenant.max_log_labels, 1) - 1);
    const auto kept = all.begin() + static_cast<std::ptrdiff_t>(std::min(room, all.size()));
    stream.labels.assign(all.begin(), kept);
    stream.labels.push_back({"probe_success", passed ? "1" : "0"});
    stream.structured_metadata.assign(kept, all.end());
    stream.structured_metadata.push_back({"execution_id", context.execution_id});
    return stream;
}

}  // namespace

std::string log_line(const checkers::LogEntry& entry, std::string_view context)
{
    std::string line = line_of(entry, context);
    if (line.size() <= longest_line || entry.fields.empty())
        return line;
    // Escapes can make a value longer than it is: each round takes off what is still too much.
    checkers::LogEntry shorter = entry;
    while (line.size() > longest_line) {
        auto longest = std::max_element(shorter.fields.begin(), shorter.fields.end(),
            [](const auto& a, const auto& b) { return a.value.size() < b.value.size(); });
        const std::size_t excess = line.size() - longest_line + 3;
        if (longest->value.size() <= 3)
            break;
        longest->value = text::shorten(
            longest->value, longest->value.size() > excess ? longest->value.size() - excess : 3);
        line = line_of(shorter, context);
    }
    return line;
}

exporters::Payload to_payload(const checkers::Report& report, const PublishContext& context,
    const Labels& info, Derived& derived)
{
    const bool passed = report.verdict.passed();
    const Labels common = execution_labels(context.source, context.tenant.label_mode);
    auto gauges = gather(report.observed, passed, report.duration_seconds);
    auto across_runs = derived.observe(gauges, context.source.check.basicmetricsonly());

    exporters::Payload payload;
    payload.tenant = context.tenant_key;
    payload.timestamp_ms = context.due_ms;
    payload.series.reserve(gauges.size() + across_runs.size() + 1);
    for (Sample& gauge : gauges)
        payload.series.push_back(series(gauge.name, std::move(gauge.own), common, gauge.value));
    payload.series.push_back(series("sm_check_info", {}, info, 1));  // after every probe_…: by name
    for (Sample& sample : across_runs)
        payload.series.push_back(series(sample.name, std::move(sample.own), common, sample.value));
    payload.logs = to_stream(report.log, context, passed);
    return payload;
}

exporters::Payload republished(const exporters::Payload& last, std::int64_t timestamp_ms)
{
    exporters::Payload again;
    again.tenant = last.tenant;
    again.timestamp_ms = timestamp_ms;
    again.series = last.series;
    return again;
}

exporters::Payload ended(const exporters::Payload& last, std::int64_t timestamp_ms)
{
    exporters::Payload end = republished(last, timestamp_ms);
    for (exporters::Series& each : end.series)
        each.value = std::bit_cast<double>(stale_bits);
    return end;
}

std::string new_execution_id()
{
    static std::mt19937_64 engine{std::random_device{}()};
    const std::uint64_t high = (engine() & 0xffffffffffff0fffU) | 0x4000U;
    const std::uint64_t low = (engine() & 0x3fffffffffffffffU) | 0x8000000000000000U;
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32U, high >> 16U & 0xffffU,
        high & 0xffffU, low >> 48U, low & 0xffffffffffffU);
}

}  // namespace sonde::schedule
