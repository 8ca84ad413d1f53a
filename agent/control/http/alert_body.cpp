#include "agent/control/http/alert_body.h"

#include "agent/control/http/json_text.h"
#include "config/json.h"

namespace sonde::control {
namespace {

using store::Alert;

std::string json_of(const Alert& alert)
{
    const auto unless_empty = [](std::string_view name, const std::string& value) {
        return value.empty() ? "" : fmt::format(R"(,"{}":{})", name, quoted(value));
    };
    return fmt::format(
        R"({{"name":{},"threshold":{}{}{},"created":{},"modified":{},"status":{}{}}})",
        quoted(alert.name), alert.threshold, unless_empty("period", alert.period),
        unless_empty("runbookUrl", alert.runbook_url), alert.created_s, alert.modified_s,
        quoted(alert.status), unless_empty("error", alert.error));
}

Result<> read_text(std::string_view body, std::string_view name, std::string& into)
{
    auto value = text_member(body, name);
    if (!value)
        return value.error();
    into = value->value_or("");
    return {};
}

Result<Alert> read_alert(const std::string& body)
{
    if (!body.starts_with('{'))
        return error("bad_value", "is not an object");
    Alert alert;
    for (const auto& [name, into] : {std::pair{"name", &alert.name}, {"period", &alert.period},
             {"runbookUrl", &alert.runbook_url}})
        if (auto read = read_text(body, name, *into); !read)
            return read.error();
    const auto threshold = number_member(body, "threshold");
    if (!threshold)
        return threshold.error();
    if (!*threshold)
        return error("bad_value", "threshold: is required");
    alert.threshold = **threshold;
    return alert;
}

}  // namespace

std::string json_of(const std::vector<Alert>& alerts)
{
    return json_list(alerts, [](const Alert& alert) { return json_of(alert); });
}

Result<std::vector<Alert>> read_alerts(std::string_view body)
{
    if (auto object = is_object(body); !object)
        return object.error();
    const auto list = raw_member(body, "alerts");
    if (!list)
        return error("bad_value", "alerts: is required");
    const auto elements = config::split_json_list(*list);
    if (!elements)
        return error("bad_value", "alerts: is not a list");
    std::vector<Alert> alerts;
    for (const std::string& element : *elements) {
        auto alert = read_alert(element);
        if (!alert)
            return error("bad_value", "alerts[{}]{}{}", alerts.size(),
                element.starts_with('{') ? "." : ": ", alert.error().message);
        alerts.push_back(std::move(*alert));
    }
    return alerts;
}

}  // namespace sonde::control
