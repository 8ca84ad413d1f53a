#include "agent/control/http/openapi.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/control/http/openapi_operations.h"
#include "agent/control/http/openapi_schemas.h"
#include "agent/control/http/routes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace sonde::control {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view base = "/api/v1";

struct Refusal {
    std::string_view status;
    std::string_view name;
    std::string_view text;
};
constexpr Refusal refusals[] = {
    {"400", "BadRequest", "The request is malformed, or breaks a rule."},
    {"401", "Unauthorized", "The credential is missing or unknown."},
    {"403", "Forbidden", "The credential is of another organization."},
    {"404", "NotFound", "There is none, or it belongs to another tenant."},
    {"405", "MethodNotAllowed", "The path has other methods; `Allow` lists them."},
    {"409", "Conflict", "Already in use, still in use, not empty, or no more are allowed."},
    {"413", "TooLarge", "The body is too large."},
    {"415", "UnsupportedMediaType", "The body must be application/json in UTF-8, not encoded."},
    {"500", "InternalError", "A defect; `X-Request-Id` finds it in the log."},
    {"501", "NotImplemented", "The instance has no viewer token."},
    {"503", "Unavailable", "The database does not answer; `Retry-After` says when to come back."},
};

Json of_json(const Json& schema)
{
    return {{"application/json", {{"schema", schema}}}};
}

Json shared_responses()
{
    Json out = Json::object();
    for (const Refusal& each : refusals)
        out[each.name] = {
            {"description", each.text}, {"content", of_json(openapi_schema(R"("Error")"))}};
    const Json text = {{"schema", {{"type", "string"}}}};
    out["Unauthorized"]["headers"]["WWW-Authenticate"] = text;
    out["MethodNotAllowed"]["headers"]["Allow"] = text;
    out["Unavailable"]["headers"]["Retry-After"] = text;
    return out;
}

/// What a route may answer besides a success (spec 04 §1.9): its parts and its row decide.
std::set<std::string> refusals_of(const Route& route, const Operation* row)
{
    std::set<std::string> out{"500", "503"};
    if (route.credential != Credential::none)
        out.insert("401");
    else
        return {"500"};
    if (route.path.find("{id}") != std::string_view::npos)
        out.insert({"400", "404"});
    if (route.takes_body)
        out.insert({"400", "413", "415"});
    for (const auto status : text::split(row ? row->refusals : "", ' '))
        if (!status.empty())
            out.emplace(status);
    return out;
}

Json responses_of(const Route& route, const Operation* row)
{
    const std::string_view status = row ? row->success : "200";
    Json success = {{"description", status == "202" ? "Accepted" : "OK"}};
    if (row)
        success["content"] = of_json(openapi_schema(row->answer));
    Json out = {{status, std::move(success)}};
    const auto wanted = refusals_of(route, row);
    for (const Refusal& each : refusals)
        if (wanted.contains(std::string{each.status}))
            out[each.status] = {{"$ref", fmt::format("#/components/responses/{}", each.name)}};
    return out;
}

Json parameters_of(const Route& route, const Operation* row)
{
    Json out = Json::array();
    if (route.path.find("{id}") != std::string_view::npos)
        out.push_back({{"name", "id"}, {"in", "path"}, {"required", true},
            {"schema", openapi_schema(R"("id")")}});
    if (!row || row->query.empty())
        return out;
    const Json query = openapi_schema(row->query);
    const Json required = query.value("required", Json::array());
    for (const auto& [name, schema] : query["properties"].items()) {
        Json parameter = {{"name", name}, {"in", "query"}};
        if (std::find(required.begin(), required.end(), name) != required.end())
            parameter["required"] = true;
        if (name == "reset-token")
            parameter["allowEmptyValue"] = true;
        parameter["schema"] = schema;
        out.push_back(std::move(parameter));
    }
    return out;
}

Json security_of(const Route& route)
{
    Json out = Json::array();
    if (route.credential == Credential::access)
        out.push_back({{"accessToken", Json::array()}});
    if (route.credential == Credential::publisher)
        out.push_back({{"publisherToken", Json::array()}});
    return out;
}

Json request_of(const Operation& row)
{
    Json content = of_json(openapi_schema(row.request));
    if (!row.example.empty())
        content["application/json"]["example"] = Json::parse(row.example);
    return {{"required", true}, {"content", std::move(content)}};
}

Json describe(const Route& route, const Operation* row)
{
    Json out = Json::object();
    if (row) {
        out["tags"] = Json::array({row->tag});
        out["operationId"] = row->id;
        out["summary"] = row->summary;
        if (row->deprecated)
            out["deprecated"] = true;
    }
    out["security"] = security_of(route);
    if (Json parameters = parameters_of(route, row); !parameters.empty())
        out["parameters"] = std::move(parameters);
    if (row && !row->request.empty())
        out["requestBody"] = request_of(*row);
    out["responses"] = responses_of(route, row);
    return out;
}

/// The row of a route; null: it is described by its route alone.
const Operation* row_of(const Route& route)
{
    const auto rows = openapi_operations();
    const auto found = std::find_if(rows.begin(), rows.end(),
        [&](const Operation& row) { return row.method == route.method && row.path == route.path; });
    return found == rows.end() ? nullptr : &*found;
}

Json paths()
{
    Json out = Json::object();
    for (const Route& route : all_routes()) {
        const auto path = route.path.substr(base.size());
        const auto method =
            text::lower(std::string_view{boost::beast::http::to_string(route.method)});
        out[path][method] = describe(route, row_of(route));
    }
    return out;
}

Json tags()
{
    Json out = Json::array();
    for (const Operation& row : openapi_operations()) {
        const Json tag = {{"name", row.tag}};
        if (std::find(out.begin(), out.end(), tag) == out.end())
            out.push_back(tag);
    }
    return out;
}

Json information()
{
    return {{"title", "Sonde Synthetic Monitoring API"}, {"version", version::number},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
        {"description",
            "Checks, the probes that run them, and the tenants they belong to. Members that are "
            "not described are ignored, and null is the same as leaving a member out. Lengths are "
            "limits in bytes of UTF-8; `maxLength` counts characters. HEAD is answered wherever "
            "GET is, OPTIONS with `Allow`."}};
}

Json security_schemes()
{
    const auto bearer = [](std::string_view what) {
        return Json{{"type", "http"}, {"scheme", "bearer"}, {"description", what}};
    };
    return {{"accessToken", bearer("of one tenant, as registration hands it out")},
        {"publisherToken", bearer("of the directory, for the stacks it lists there")}};
}

/// The document is the same for every call; who asks for it need not be known.
asio::awaitable<HttpReply> get_document(Call& call)
{
    if (call.parts.document.empty())
        call.parts.document = openapi_document(call.parts.config);
    co_return ok(call.parts.document);
}

constexpr Route routes[] = {
    {verb::get, "/api/v1/openapi.json", Credential::none, false, get_document},
};

}  // namespace

std::string openapi_document(const config::ControlConfig& config)
{
    Json out = {{"openapi", "3.1.0"}, {"info", information()},
        {"servers", Json::array({{{"url", base}}})}, {"tags", tags()}, {"paths", paths()}};
    out["components"] = {{"securitySchemes", security_schemes()}, {"responses", shared_responses()},
        {"schemas", openapi_components(config)}};
    return out.dump();
}

std::span<const Route> openapi_routes()
{
    return routes;
}

}  // namespace sonde::control
