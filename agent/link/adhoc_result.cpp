#include "agent/link/adhoc_result.h"

#include "agent/base/text.h"
#include "agent/schedule/publish.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace sonde::link {
namespace {

using Json = nlohmann::ordered_json;
using checkers::LogEntry;

constexpr std::size_t longest_line = 192 << 10;  // log stores refuse lines of 256 KiB
constexpr std::size_t longest_value = 16 << 10;
constexpr int gauge_type = 1;

/// RFC 3339 in UTC, fraction without trailing zeros.
std::string rfc3339(std::chrono::system_clock::time_point time)
{
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    std::string out = fmt::format(
        "{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
    const auto nanoseconds =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time - seconds).count();
    if (nanoseconds != 0) {
        out += fmt::format(".{:09}", nanoseconds);
        out.erase(out.find_last_not_of('0') + 1);
    }
    return out + 'Z';
}

std::string_view level_of(const LogEntry& entry)
{
    static constexpr std::string_view lower[] = {"debug", "info", "warn", "error"};
    static constexpr std::string_view upper[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    const auto index = static_cast<std::size_t>(entry.level);
    return entry.layout == LogEntry::Layout::structured ? upper[index] : lower[index];
}

/// A line of the checker; values of more than `limit` bytes are cut.
Json line_of(const LogEntry& entry, std::size_t limit)
{
    std::map<std::string, std::string> keys;
    keys["level"] = level_of(entry);
    keys["msg"] = entry.message;
    if (entry.layout == LogEntry::Layout::structured)
        keys["time"] = rfc3339(entry.time);
    for (const checkers::LogField& field : entry.fields)
        keys[std::string{field.key}] = text::shorten(field.value, limit);
    return keys;
}

/// The lines of the checker itself: the first and the last are of the frame around it.
Json lines_of(const AdHocResult& result, std::size_t limit)
{
    Json lines;  // null when there is none
    if (result.report)
        for (std::size_t i = 1; i + 1 < result.report->log.size(); ++i)
            lines.push_back(line_of(result.report->log[i], limit));
    return lines;
}

Json number(double value)
{
    constexpr double exact = 9007199254740992;  // 2^53: a whole number is written as such
    if (std::trunc(value) == value && std::abs(value) < exact)
        return static_cast<std::int64_t>(value);
    return value;
}

struct Family {
    std::string_view help;
    std::map<std::map<std::string, std::string>, double> values;  ///< by labels
};

/// Families and their series in order of name and labels.
Json series_of(const AdHocResult& result)
{
    std::map<std::string_view, Family> families;
    const auto* report = result.report;
    families["probe_success"] = {"Displays whether or not the probe was a success",
        {{{}, report && report->verdict.passed() ? 1.0 : 0.0}}};
    families["probe_duration_seconds"] = {"How long the probe took to complete in seconds",
        {{{}, report ? std::floor(report->duration_seconds * 1e6) / 1e6 : 0}}};
    if (report)
        for (const auto& [metric, label_values, value] : report->observed.samples()) {
            std::map<std::string, std::string> labels;
            const auto names = text::split(metric->labels, ',');
            for (std::size_t i = 0; i < label_values.size(); ++i)
                labels[std::string{names.at(i)}] = text::repair_utf8(label_values[i]);
            families[metric->name].help = metric->help;
            families[metric->name].values[labels] = value;
        }
    Json out = Json::array();
    for (const auto& [name, family] : families) {
        Json metrics = Json::array();
        for (const auto& [labels, value] : family.values) {
            Json metric = Json::object();
            for (const auto& [label, content] : labels)
                metric["label"].push_back({{"name", label}, {"value", content}});
            metric["gauge"]["value"] = number(value);
            metrics.push_back(std::move(metric));
        }
        out.push_back({{"name", name}, {"help", family.help}, {"type", gauge_type},
            {"metric", std::move(metrics)}});
    }
    return out;
}

std::string line_of(const AdHocResult& result, std::size_t limit)
{
    Json line;
    line["level"] = "warn";
    if (!result.report)
        line["error"] = result.refusal.message;
    line["id"] = result.check.id();
    line["target"] = result.target;
    line["probe"] = result.probe.name();
    line["check_name"] = result.kind;
    line["logs"] = lines_of(result, limit);
    line["timeseries"] = series_of(result);
    line["message"] = "ad-hoc check done";
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

exporters::Payload to_payload(const AdHocResult& result)
{
    std::size_t limit = longest_value;
    std::string line = line_of(result, limit);
    while (line.size() > longest_line && limit > 64)
        line = line_of(result, limit /= 4);

    exporters::Payload payload;
    payload.tenant = {exporters::Origin::api, result.check.tenantid()};
    payload.timestamp_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(result.time.time_since_epoch())
            .count();
    exporters::LogStream stream;
    stream.labels = {
        {"probe", result.probe.name()}, {"source", "synthetic-monitoring"}, {"type", "adhoc"}};
    stream.structured_metadata = {{"execution_id", schedule::new_execution_id()}};
    stream.lines.push_back({result.time, std::move(line)});
    payload.logs = std::move(stream);
    return payload;
}

}  // namespace sonde::link
