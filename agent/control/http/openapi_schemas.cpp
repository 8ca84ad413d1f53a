#include "agent/control/http/openapi_schemas.h"

#include "agent/control/http/openapi_limits.h"
#include "config/json_names.h"
#include "config/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace sonde::control {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

Json reference_to(std::string_view component)
{
    return {{"$ref", fmt::format("#/components/schemas/{}", component)}};
}

Json type(std::string_view name)
{
    return {{"type", name}};
}

Json time()
{
    return {{"type", "number"}, {"description", "Unix seconds"}};
}

/// "integer" to a schema; a name that is no type stands for a component.
Json schema_of_name(std::string_view name)
{
    if (name == "id")
        return {{"type", "integer"}, {"format", "int64"}, {"minimum", 1}};
    if (name == "integer")
        return {{"type", "integer"}, {"format", "int64"}};
    if (name == "time")
        return time();
    if (name == "string" || name == "boolean" || name == "number")
        return type(name);
    return reference_to(name);
}

Json object()
{
    return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", true}};
}

void add_member(Json& schema, const std::string& name, Json its_schema, bool required)
{
    schema["properties"][name] = std::move(its_schema);
    if (required)
        schema["required"].push_back(name);
}

Json nullable(Json schema)
{
    if (schema.contains("type") && schema["type"].is_string())
        schema["type"] = Json::array({schema["type"], "null"});
    return schema;
}

Json expand(const Json& brief)
{
    if (brief.is_array())
        return {{"type", "array"}, {"items", expand(brief.front())}};
    if (brief.is_string()) {
        const std::string name = brief;
        constexpr std::string_view or_null = "|null";
        return name.ends_with(or_null)
                   ? nullable(schema_of_name(name.substr(0, name.size() - or_null.size())))
                   : schema_of_name(name);
    }
    Json out = object();
    for (const auto& [name, member] : brief.items()) {
        const bool optional = name.ends_with('?');
        add_member(
            out, optional ? name.substr(0, name.size() - 1) : name, expand(member), !optional);
    }
    return out;
}

// From the schema of messages.

/// How components are called that are not called as in the schema.
std::string component_name(const std::string& name)
{
    static constexpr std::pair<std::string_view, std::string_view> others[] = {
        {"DNSRRValidator", "DnsRRValidator"}, {"TCPQueryResponse", "TcpQueryResponse"},
        {"CompressionAlgorithm", "Compression"}, {"Capabilities", "ProbeCapabilities"}};
    for (const auto& [schema, component] : others)
        if (name == schema)
            return std::string{component};
    return name;
}

Json enum_schema(const EnumDescriptor& of)
{
    const bool named = config::is_named_enum(of);
    Json out = type(named ? "string" : "integer");
    std::string meanings;
    for (int i = 0; i < of.value_count(); ++i) {
        const auto& value = *of.value(i);
        out["enum"].push_back(named ? Json(value.name()) : Json(value.number()));
        meanings += fmt::format("{}{} {}", i ? ", " : "", value.number(), value.name());
    }
    out["description"] =
        named ? "Read without regard to case; the empty text is the first value." : meanings;
    return out;
}

Json schema_of(const FieldDescriptor& field)
{
    switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return reference_to(component_name(field.message_type()->name()));
    case FieldDescriptor::CPPTYPE_ENUM:
        return reference_to(component_name(field.enum_type()->name()));
    case FieldDescriptor::CPPTYPE_BOOL:
        return type("boolean");
    case FieldDescriptor::CPPTYPE_INT64:
        return {{"type", "integer"}, {"format", "int64"}};
    case FieldDescriptor::CPPTYPE_INT32:
        return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return time();
    case FieldDescriptor::CPPTYPE_FLOAT:
        return {{"type", "number"}, {"format", "float"}};
    default:
        if (field.type() == FieldDescriptor::TYPE_BYTES)
            return {{"type", "string"}, {"contentEncoding", "base64"}};
        return type("string");
    }
}

Json message_schema(const Descriptor& message, bool printed);

/// @param printed as answers have it: what is printed always is required.
void add_field(Json& schema, const FieldDescriptor& field, bool printed)
{
    Json its_schema = schema_of(field);
    const bool always = config::when_empty(field) != config::WhenEmpty::omit;
    if (field.is_repeated())
        its_schema = {{"type", "array"}, {"items", std::move(its_schema)}};
    else if (printed && field.has_presence() &&
             config::when_empty(field) == config::WhenEmpty::print)
        its_schema = nullable(message_schema(*field.message_type(), printed));
    add_member(schema, field.json_name(), its_schema, printed && always);
    if (const auto alias = config::alias_of(field); !alias.empty()) {
        its_schema["deprecated"] = true;
        add_member(schema, std::string{alias}, std::move(its_schema), false);
    }
}

Json message_schema(const Descriptor& message, bool printed)
{
    Json out = object();
    for (int i = 0; i < message.field_count(); ++i)
        add_field(out, *message.field(i), printed);
    return out;
}

/// A component for each message and enum that is used below `message`.
void add_used(Json& components, const Descriptor& message)
{
    for (int i = 0; i < message.field_count(); ++i) {
        const FieldDescriptor& field = *message.field(i);
        if (field.enum_type() != nullptr)
            components[component_name(field.enum_type()->name())] = enum_schema(*field.enum_type());
        if (field.message_type() == nullptr)
            continue;
        const std::string name = component_name(field.message_type()->name());
        if (components.contains(name))
            continue;
        components[name] = message_schema(*field.message_type(), false);
        add_used(components, *field.message_type());
    }
}

/// Exactly one kind; counting members would count unknown ones, too (spec 04 §12).
Json check_settings()
{
    Json out = Json::object();
    const Descriptor& kinds = *pb::CheckSettings::descriptor();
    for (int i = 0; i < kinds.field_count(); ++i) {
        Json kind = object();
        add_field(kind, *kinds.field(i), false);
        kind["required"] = Json::array({kinds.field(i)->json_name()});
        out["oneOf"].push_back(std::move(kind));
    }
    return out;
}

/// What a request may carry of a message: all may be null but what must be there.
Json input_of(const Descriptor& message, const std::vector<std::string>& required,
    const std::vector<std::string>& ignored)
{
    const auto among = [](const std::vector<std::string>& names, const std::string& name) {
        return std::find(names.begin(), names.end(), name) != names.end();
    };
    Json out = object();
    for (int i = 0; i < message.field_count(); ++i) {
        const FieldDescriptor& field = *message.field(i);
        if (!among(ignored, field.json_name()))
            add_field(out, field, false);
    }
    out["required"] = required;
    for (auto& [name, schema] : out["properties"].items())
        if (!among(required, name))
            schema = schema.contains("$ref") ? Json{{"oneOf", {schema, type("null")}}}
                                             : nullable(schema);
    return out;
}

void add_checks(Json& out)
{
    const Json folder = {{"type", "string"}, {"maxLength", 128}};
    Json check = message_schema(*pb::Check::descriptor(), true);
    add_member(check, "folderUid", folder, false);
    add_member(check, "alerts", expand(Json::parse(R"(["Alert"])")), false);
    add_member(check, "disableReason", type("string"), false);
    out["Check"] = std::move(check);
    const std::vector<std::string> required{
        "target", "job", "frequency", "timeout", "probes", "settings"};
    Json input = input_of(*pb::Check::descriptor(), required, {"created", "modified"});
    add_member(input, "folderUid", nullable(folder), false);
    out["CheckInput"] = input;
    out["CheckUpdate"] = {{"allOf",
        {reference_to("CheckInput"), {{"type", "object"}, {"required", {"id", "tenantId"}}}}}};
    out["CheckUpdates"] = {{"type", "array"}, {"items", reference_to("CheckUpdate")},
        {"minItems", 1}, {"maxItems", 1000}};
    out["AdHocInput"] = input_of(*pb::AdHocCheck::descriptor(),
        {"timeout", "settings", "probes", "target"}, {"id", "tenantId"});
    out["AdHocCheck"] = message_schema(*pb::AdHocCheck::descriptor(), true);
}

void add_probes(Json& out)
{
    Json probe = message_schema(*pb::Probe::descriptor(), true);
    add_member(
        probe, "k6Versions", {{"type", "object"}, {"additionalProperties", type("string")}}, false);
    out["Probe"] = std::move(probe);
    Json input = input_of(*pb::Probe::descriptor(), {"name"},
        {"public", "online", "onlineChange", "version", "commit", "buildstamp", "created",
            "modified"});
    out["ProbeInput"] = input;
    add_member(input, "resetToken", nullable(type("boolean")), false);
    input["required"] = Json::array({"id", "tenantId", "name"});
    out["ProbeUpdate"] = std::move(input);
}

void add_tenants(Json& out)
{
    out["Tenant"] = message_schema(*pb::Tenant::descriptor(), true);
    Json update = object();
    add_member(update, "id", schema_of_name("id"), true);
    for (const char* const remote : {"metricsRemote", "eventsRemote"})
        add_member(update, remote, nullable(out["RemoteInfo"]), false);
    const Json status = expand(Json::parse(R"({"code": "TenantStatus", "reason": "string"})"));
    add_member(
        update, "status", {{"oneOf", {status, reference_to("TenantStatus"), type("null")}}}, false);
    add_member(update, "reason", nullable(type("string")), false);
    out["TenantUpdate"] = std::move(update);
    Json updated = out["Tenant"];
    add_member(updated, "msg", type("string"), true);
    add_member(updated, "tenant", reference_to("Tenant"), true);
    out["TenantUpdated"] = std::move(updated);
}

/// Components that are no message of the schema.
constexpr std::pair<std::string_view, std::string_view> others[] = {
    {"Error", R"({"code": "integer", "msg": "string", "err": "string",
        "collidingLabels?": ["string"]})"},
    {"HostedInstance", R"({"id": "id", "orgSlug": "string", "orgName": "string",
        "clusterSlug": "string", "clusterName": "string", "type": "InstanceType", "name": "string",
        "url": "string", "description": "string", "status": "string",
        "currentActiveSeries?": "number", "currentDpm?": "number", "currentUsage": "number"})"},
    {"TenantInfo", R"({"id": "id", "metricInstance?": "HostedInstance",
        "logInstance?": "HostedInstance"})"},
    {"AlertInput", R"({"name": "AlertName", "threshold": "number", "period?": "AlertPeriod",
        "runbookUrl?": "string|null"})"},
    {"Alert", R"({"name": "AlertName", "threshold": "number", "period?": "AlertPeriod",
        "runbookUrl?": "string", "created": "integer", "modified": "integer", "status": "string",
        "error?": "string"})"},
    {"Thresholds",
        R"({"uptime": "Threshold", "reachability": "Threshold", "latency": "Threshold"})"},
    {"Threshold", R"({"upperLimit": "number", "lowerLimit": "number"})"},
    {"AccountingClass",
        R"({"CheckType": "integer", "CheckClass": "integer", "Series": "integer"})"},
    {"K6ChannelInfo", R"({"id": "string", "name": "string", "default": "boolean",
        "deprecatedAfter": "string", "manifest": "string"})"},
};

void add_others(Json& out)
{
    for (const auto& [name, brief] : others)
        out[name] = expand(Json::parse(brief));
    out["AlertInput"]["properties"]["threshold"]["exclusiveMinimum"] = 0;
    out["AlertName"] = {{"type", "string"},
        {"enum", {"ProbeFailedExecutionsTooHigh", "TLSTargetCertificateCloseToExpiring",
                     "HTTPRequestDurationTooHighAvg", "PingRequestDurationTooHighAvg",
                     "DNSRequestDurationTooHighAvg"}}};
    out["AlertPeriod"] = {{"type", Json::array({"string", "null"})},
        {"enum", {"5m", "10m", "15m", "20m", "30m", "1h", "", nullptr}}};
    out["InstanceType"] = {{"type", "string"}, {"enum", {"prometheus", "logs"}}};
    out["AdminToken"] = {{"type", "string"}, {"format", "password"}, {"writeOnly", true},
        {"description", "of the directory; the server does not keep it"}};
    out["Flag"] = {{"type", "string"}, {"enum", {"true", "1", "false", "0", ""}}};
    out["Reset"] = {{"type", "string"}, {"enum", {"", "true", "1"}}};
    out["AccountingClasses"] = {
        {"type", "object"}, {"additionalProperties", reference_to("AccountingClass")}};
    out["Anything"] = {{"type", "object"}};
}

}  // namespace

Json openapi_schema(std::string_view brief)
{
    return expand(Json::parse(brief));
}

Json openapi_components(const config::ControlConfig& config)
{
    Json out = Json::object();
    add_others(out);
    for (const Descriptor* root : {pb::Check::descriptor(), pb::AdHocCheck::descriptor(),
             pb::Probe::descriptor(), pb::Tenant::descriptor()})
        add_used(out, *root);
    out["CheckSettings"] = check_settings();
    add_limits(out, config);
    add_checks(out);
    add_probes(out);
    add_tenants(out);
    add_request_limits(out, config);
    return out;
}

}  // namespace sonde::control
