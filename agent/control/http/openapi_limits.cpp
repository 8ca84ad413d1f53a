#include "agent/control/http/openapi_limits.h"

#include "agent/control/rules/check_rules.h"
#include "agent/control/rules/probe_rules.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace sonde::control {
namespace {

using Json = nlohmann::ordered_json;

/// Of a member, or with `[]` of the elements of a list.
struct Limit {
    std::string_view component;
    std::string_view member;
    std::string_view keywords;
};

constexpr Limit of_settings[] = {
    {"DnsSettings", "port", R"({"minimum": 0, "maximum": 65535})"},
    {"DnsSettings", "validRCodes[]",
        R"({"enum": ["NOERROR", "BADALG", "BADCOOKIE", "BADKEY", "BADMODE", "BADNAME", "BADSIG",
            "BADTIME", "BADTRUNC", "BADVERS", "FORMERR", "NOTAUTH", "NOTIMP", "NOTZONE",
            "NXDOMAIN", "NXRRSET", "REFUSED", "SERVFAIL", "YXDOMAIN", "YXRRSET"]})"},
    {"HttpSettings", "body", R"({"type": ["string", "array"], "items": {"type": "string"},
        "maxItems": 1, "description": "A list of one text is read as that text."})"},
    {"HttpSettings", "validStatusCodes[]", R"({"minimum": 100, "maximum": 599})"},
    {"HttpSettings", "validHTTPVersions[]", R"({"pattern": "^HTTP/[0-9](\\.[0-9])?$"})"},
    {"HttpSettings", "cacheBustingQueryParamName", R"({"maxLength": 128})"},
    {"PingSettings", "payloadSize", R"({"minimum": 0, "maximum": 65499})"},
    {"PingSettings", "packetCount", R"({"minimum": 0, "maximum": 10})"},
    {"TracerouteSettings", "maxHops", R"({"minimum": 0, "maximum": 64})"},
    {"TracerouteSettings", "maxUnknownHops", R"({"minimum": 0, "maximum": 20})"},
    {"TracerouteSettings", "hopTimeout", R"({"minimum": 0, "maximum": 30000000000})"},
    {"MultiHttpSettings", "entries", R"({"minItems": 1, "maxItems": 10})"},
    {"MultiHttpEntry", "checks", R"({"maxItems": 5})"},
    {"MultiHttpEntry", "variables", R"({"maxItems": 5})"},
};

constexpr Limit of_requests[] = {
    {"CheckInput", "target", R"({"minLength": 1, "maxLength": 2048})"},
    {"CheckInput", "job", R"({"minLength": 1, "maxLength": 2048})"},
    {"CheckInput", "offset", R"({"minimum": 0})"},
    {"CheckInput", "probes", R"({"minItems": 1})"},
    {"CheckInput", "probes[]", R"({"minimum": 1})"},
    {"AdHocInput", "target", R"({"minLength": 1, "maxLength": 2048})"},
    {"AdHocInput", "probes", R"({"minItems": 1})"},
    {"AdHocInput", "probes[]", R"({"minimum": 1})"},
    {"ProbeInput", "name", R"({"minLength": 1, "maxLength": 128})"},
    {"ProbeInput", "region", R"({"maxLength": 128})"},
    {"ProbeInput", "latitude", R"({"minimum": -90, "maximum": 90})"},
    {"ProbeInput", "longitude", R"({"minimum": -180, "maximum": 180})"},
};

/// Members of settings that have no default.
constexpr std::pair<std::string_view, std::string_view> required[] = {{"DnsSettings", "server"},
    {"ScriptedSettings", "script"}, {"BrowserSettings", "script"}, {"MultiHttpSettings", "entries"},
    {"MultiHttpEntry", "request"}, {"MultiHttpEntryRequest", "url"}};

void add(Json& components, const Limit& limit)
{
    std::string_view name = limit.member;
    const bool of_elements = name.ends_with("[]");
    if (of_elements)
        name.remove_suffix(2);
    Json& member =
        components.at(std::string{limit.component}).at("properties").at(std::string{name});
    (of_elements ? member.at("items") : member).update(Json::parse(limit.keywords));
}

using rules::Range;

struct Times {
    Range frequency;
    Range timeout;
};

Range both(const Range& a, const Range& b)
{
    return {std::min(a.least, b.least), std::max(a.most, b.most)};
}

std::string text_of(const Range& range, std::string_view kind)
{
    return fmt::format(", {} {} to {}", kind, range.least, range.most);
}

Json limits_of(const Range& range, const std::string& text)
{
    return {{"minimum", range.least}, {"maximum", range.most}, {"description", text}};
}

/// The widest of all kinds; the description says what each may have.
void add_times(Json& components, const config::ControlConfig& config)
{
    std::optional<Times> widest;
    std::string frequency = "milliseconds";
    std::string timeout = "milliseconds, at most the frequency";
    for (const std::string& kind : config.enabled_kinds) {
        const Times times{rules::frequency_range(kind, config.extended_limits),
            rules::timeout_range(kind, config.extended_limits)};
        const Times before = widest.value_or(times);
        widest =
            Times{both(before.frequency, times.frequency), both(before.timeout, times.timeout)};
        frequency += text_of(times.frequency, kind);
        timeout += text_of(times.timeout, kind);
    }
    if (!widest)
        return;
    Json& check = components["CheckInput"]["properties"];
    check["frequency"].update(limits_of(widest->frequency, frequency));
    check["timeout"].update(limits_of(widest->timeout, timeout));
    components["AdHocInput"]["properties"]["timeout"].update(limits_of(widest->timeout, timeout));
}

/// A label anywhere else is whatever was there before; only requests have limits.
void add_labels(Json& components, const config::ControlConfig& config)
{
    const rules::Judgement judgement{.config = config, .extended = config.extended_limits};
    const std::size_t longest = rules::longest_label(judgement.extended);
    const Json label = {{"$ref", "#/components/schemas/Label"}, {"required", {"name", "value"}},
        {"properties", {{"name", {{"minLength", 1}, {"maxLength", longest},
                                     {"pattern", "^(?!__)[A-Za-z0-9_]+$"}}},
                           {"value", {{"minLength", 1}, {"maxLength", longest}}}}}};
    for (const char* const component : {"CheckInput", "ProbeInput", "ProbeUpdate"})
        components[component]["properties"]["labels"]["items"] = label;
    components["CheckInput"]["properties"]["labels"]["maxItems"] =
        rules::most_metric_labels(judgement);
    for (const char* const component : {"ProbeInput", "ProbeUpdate"})
        components[component]["properties"]["labels"]["maxItems"] = rules::most_probe_labels;
}

void add_sensitivity(Json& components, const config::ControlConfig& config)
{
    Json& member = components["CheckInput"]["properties"]["alertSensitivity"];
    if (config.allow_custom_alert_sensitivity)
        member["maxLength"] = 128;
    else
        member["enum"] = {"", "none", "low", "medium", "high", nullptr};
}

}  // namespace

void add_limits(Json& components, const config::ControlConfig& config)
{
    for (const Limit& limit : of_settings)
        add(components, limit);
    for (const auto& [component, member] : required)
        components[component]["required"].push_back(member);
    std::string kinds;
    for (const std::string& kind : config.enabled_kinds)
        kinds += " " + kind;
    components["CheckSettings"]["description"] =
        "Exactly one kind. This server takes" + kinds + ".";
}

void add_request_limits(Json& components, const config::ControlConfig& config)
{
    for (Limit limit : of_requests) {
        add(components, limit);
        if (limit.component == "ProbeInput") {
            limit.component = "ProbeUpdate";
            add(components, limit);
        }
    }
    add_times(components, config);
    add_labels(components, config);
    add_sensitivity(components, config);
}

}  // namespace sonde::control
