#include "agent/base/text.h"
#include "agent/cli/render.h"
#include "checkers/reasons.h"

#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace sonde::cli {
namespace {

using Json = nlohmann::ordered_json;

/// RFC 3339 with microseconds, UTC.
std::string timestamp(std::chrono::system_clock::time_point time)
{
    const auto second = std::chrono::floor<std::chrono::seconds>(time);
    const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(time - second).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
        fmt::gmtime(std::chrono::system_clock::to_time_t(second)), rest);
}

Json reason_of(const checkers::Verdict& verdict)
{
    if (verdict.passed())
        return nullptr;
    const auto* known = checkers::find_reason(verdict.code);
    Json out;
    out["code"] = verdict.code;
    out["cause"] = verdict.cause.empty() ? Json(nullptr) : Json(verdict.cause);
    out["layer"] = known ? Json(known->layer) : Json(nullptr);
    out["message"] = text::repair_utf8(verdict.message);
    return out;
}

Json series_of(const checkers::Report& report)
{
    Json out = Json::array();
    auto add = [&](std::string_view name, Json labels, double value) {
        Json series;
        series["name"] = name;
        series["labels"] = std::move(labels);
        series["value"] = value;
        out.push_back(std::move(series));
    };
    add("probe_success", Json::object(), report.verdict.passed() ? 1 : 0);
    add("probe_duration_seconds", Json::object(), report.duration_seconds);
    for (const auto& sample : report.observed.samples()) {
        Json labels = Json::object();
        if (!sample.metric->labels.empty()) {
            const auto names = text::split(sample.metric->labels, ',');
            for (std::size_t i = 0; i < names.size(); ++i)
                labels[std::string{names[i]}] = text::repair_utf8(sample.label_values.at(i));
        }
        add(sample.metric->name, std::move(labels), sample.value);
    }
    return out;
}

Json log_of(const std::vector<checkers::LogEntry>& entries)
{
    static constexpr std::string_view levels[] = {"debug", "info", "warn", "error"};
    Json out = Json::array();
    for (const checkers::LogEntry& entry : entries) {
        Json line;
        line["time"] = timestamp(entry.time);
        line["level"] = levels[static_cast<std::size_t>(entry.level)];
        line["message"] = entry.message;
        Json fields = Json::object();
        for (const checkers::LogField& field : entry.fields)
            fields[std::string{field.key}] = text::repair_utf8(field.value);
        line["fields"] = std::move(fields);
        out.push_back(std::move(line));
    }
    return out;
}

Json certificate_of(const std::optional<checkers::CertificateSummary>& certificate)
{
    if (!certificate)
        return nullptr;
    Json out;
    out["subject"] = text::repair_utf8(certificate->subject);
    out["issuer"] = text::repair_utf8(certificate->issuer);
    out["dns_names"] = certificate->dns_names;
    out["serial_number"] = certificate->serial_number;
    out["fingerprint_sha256"] = certificate->fingerprint_sha256;
    out["not_before"] = timestamp(std::chrono::system_clock::from_time_t(certificate->not_before));
    out["not_after"] = timestamp(std::chrono::system_clock::from_time_t(certificate->not_after));
    out["verified"] = certificate->verified;
    out["tls_version"] = certificate->tls_version;
    out["cipher"] = certificate->cipher;
    return out;
}

}  // namespace

std::string render_json(const Outcome& outcome, bool one_line)
{
    const checkers::Report& report = outcome.report;
    Json out;
    out["schema_version"] = 1;
    out["kind"] = outcome.kind.name;
    out["target"] = text::repair_utf8(outcome.check.target());
    out["verdict"] = name_of(outcome.status());
    out["success"] = report.verdict.passed();
    out["reason"] = reason_of(report.verdict);
    if (const auto limit = outcome.crossed(); !limit.empty())
        out["limit_crossed"] = limit;  // "warn" or "crit": why a run that succeeded is not "ok"
    out["started_at"] = timestamp(report.started_at);
    out["duration_seconds"] = report.duration_seconds;
    out["address"] = nullptr;
    if (report.address)
        out["address"] =
            Json{{"ip", report.address->to_string()}, {"family", report.address->is_v4() ? 4 : 6}};
    Json phases = Json::array();
    for (const checkers::Phase& phase : report.phases) {
        Json each;
        each["name"] = phase.name;
        each["seconds"] = phase.seconds;
        each["reached"] = phase.reached;
        phases.push_back(std::move(each));
    }
    out["phases"] = std::move(phases);
    out["series"] = series_of(report);
    out["log"] = log_of(report.log);
    out["certificate"] = certificate_of(report.certificate);
    return out.dump(one_line ? -1 : 2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sonde::cli
