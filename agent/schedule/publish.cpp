#include "agent/schedule/publish.h"

#include "agent/base/logfmt.h"
#include "agent/base/text.h"

#include <fmt/compile.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <random>

namespace sonde::schedule {
namespace {

constexpr std::size_t longest_line = 64 * 1024;
// Prometheus' stale marker, a signalling NaN: only ever copied, never calculated with.
constexpr auto stale_bits = std::uint64_t{0x7ff0000000000002};

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
    line.reserve(context.size() + 160);
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

exporters::LogStream to_stream(const std::vector<checkers::LogEntry>& entries,
    const Labelling& labels, const std::string& execution_id, bool passed)
{
    exporters::LogStream stream;
    stream.lines.reserve(entries.size());
    for (const checkers::LogEntry& entry : entries)
        stream.lines.push_back({entry.time, log_line(entry, labels.context)});
    stream.labels = labels.stream;
    stream.labels.push_back({"probe_success", passed ? "1" : "0"});
    stream.structured_metadata = labels.overflow;
    stream.structured_metadata.push_back({"execution_id", execution_id});
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

exporters::Payload to_payload(
    const checkers::Report& report, const PublishContext& context, CheckSeries& series)
{
    const bool passed = report.verdict.passed();
    exporters::Payload payload;
    payload.tenant = context.tenant;
    payload.timestamp_ms = context.due_ms;
    payload.run_of = context.check;
    series.take(report.observed, passed, report.duration_seconds, context.labels, payload);
    payload.logs = to_stream(report.log, *context.labels, context.execution_id, passed);
    return payload;
}

exporters::Payload republished(const exporters::Payload& last, std::int64_t timestamp_ms)
{
    return {last.tenant, timestamp_ms, last.series, last.values, std::nullopt, std::nullopt};
}

exporters::Payload ended(const exporters::Payload& last, std::int64_t timestamp_ms)
{
    exporters::Payload end = republished(last, timestamp_ms);
    end.values.assign(end.values.size(), std::bit_cast<double>(stale_bits));
    return end;
}

std::string new_execution_id()
{
    static std::mt19937_64 engine{std::random_device{}()};
    const std::uint64_t high = (engine() & 0xffffffffffff0fffU) | 0x4000U;
    const std::uint64_t low = (engine() & 0x3fffffffffffffffU) | 0x8000000000000000U;
    std::string id;
    id.reserve(36);
    fmt::format_to(std::back_inserter(id), FMT_COMPILE("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}"),
        high >> 32U, high >> 16U & 0xffffU, high & 0xffffU, low >> 48U, low & 0xffffffffffffU);
    return id;
}

}  // namespace sonde::schedule
