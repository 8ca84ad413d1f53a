// Spec 04 §12: the served description, and that its limits are the ones that hold.
#include "tests/contract/document.h"
#include "tests/contract/recorder.h"
#include "tests/contract/script.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>
#include <set>

namespace sonde::contract {
namespace {

using nlohmann::json;

void each_member(
    const json& value, const std::function<void(const std::string&, const json&)>& visit)
{
    if (value.is_object())
        for (const auto& [name, member] : value.items())
            visit(name, member);
    if (value.is_structured())
        for (const json& member : value)
            each_member(member, visit);
}

/// §12, row by row: the components that there must be.
const char* const schemas[] = {"Error", "HostedInstance", "TenantInfo", "RemoteInfo", "Tenant",
    "TenantUpdate", "Label", "Probe", "ProbeInput", "Check", "CheckInput", "CheckSettings",
    "DnsSettings", "DnsRRValidator", "HttpSettings", "HeaderMatch", "TLSConfig", "BasicAuth",
    "PingSettings", "TcpSettings", "TcpQueryResponse", "TracerouteSettings", "GrpcSettings",
    "ScriptedSettings", "BrowserSettings", "MultiHttpSettings", "Alert", "AlertInput", "AdHocInput",
    "AdHocCheck", "IpVersion", "HttpMethod", "DnsRecordType", "DnsProtocol", "Compression"};
const char* const responses[] = {"BadRequest", "Unauthorized", "NotFound", "Conflict", "TooLarge",
    "UnsupportedMediaType", "MethodNotAllowed", "InternalError"};
const char* const tags[] = {"registration", "tokens", "checks", "probes", "tenants", "alerts"};
const std::set<std::string> without_header = {"init", "viewerToken", "describe", "describeApi"};
const std::set<std::string> deprecated = {"init", "save", "viewerToken", "describe"};

/// What a member of a check may be; beside the limit lies what is refused.
struct Limit {
    const char* member;
    const char* keyword;
    int step;            ///< from the limit to what is refused
    const char* others;  ///< members that the value needs
};
constexpr Limit limits[] = {
    {"frequency", "minimum", -1, R"({"timeout": 1000})"},
    {"frequency", "maximum", 1, "{}"},
    {"timeout", "minimum", -1, "{}"},
    {"timeout", "maximum", 1, "{}"},
    {"offset", "minimum", -1, "{}"},
};
constexpr Limit lengths[] = {
    {"job", "maxLength", 1, "{}"},
    {"job", "minLength", -1, "{}"},
    {"folderUid", "maxLength", 1, "{}"},
};

struct Scene {
    tests::ApiProcess api;
    Script script{api};
    Document document{script.client()};

    explicit Scene(const std::string& options = "") : api{options}
    {
        register_tenants(script);
        add_probe_and_checks(script);
    }

    int validate(const json& patch) const
    {
        json body =
            json::parse(script.body(R"(@ping {"target": "new.example.org", "probes": [$p]})"));
        body.merge_patch(patch);
        return script.client()
            .send({"POST", "check/validate", {bearer(script.text("T1"))}, body.dump()})
            .status;
    }

    json input(const char* member) const
    {
        return document.json()["components"]["schemas"]["CheckInput"]["properties"][member];
    }

    void limits_hold() const
    {
        for (const Limit& each : limits) {
            CAPTURE(each.member);
            CAPTURE(each.keyword);
            const std::int64_t limit = input(each.member).at(each.keyword);
            json patch = json::parse(each.others);
            patch[each.member] = limit;
            // A period must not be shorter than the run.
            if (std::string_view{each.member} == "timeout")
                patch["frequency"] = std::max<std::int64_t>(limit, 60'000);
            CHECK(validate(patch) == 200);
            patch[each.member] = limit + each.step;
            CHECK(validate(patch) == 400);
        }
        for (const Limit& each : lengths) {
            CAPTURE(each.member);
            const std::size_t limit = input(each.member).at(each.keyword);
            CHECK(validate({{each.member, std::string(limit, 'x')}}) == 200);
            CHECK(validate({{each.member,
                      std::string(limit + static_cast<std::size_t>(each.step), 'x')}}) == 400);
        }
        labels_hold();
    }

    void labels_hold() const
    {
        const json schema = input("labels");
        const std::size_t most = schema.at("maxItems");
        const std::size_t longest = schema.at("items").at("properties").at("name").at("maxLength");
        json labels = json::array();
        for (std::size_t i = 0; i <= most; ++i) {
            if (i == most)
                CHECK(validate({{"labels", labels}}) == 200);
            labels.push_back(
                {{"name", fmt::format("l{}", i)}, {"value", std::string(longest, 'v')}});
        }
        CHECK(validate({{"labels", labels}}) == 400);
        for (const char* const member : {"name", "value"})
            for (const std::size_t size : {longest, longest + 1}) {
                json label = {{"name", "n"}, {"value", "v"}};
                label[member] = std::string(size, 'x');
                CHECK(validate({{"labels", {label}}}) == (size > longest ? 400 : 200));
            }
    }
};

struct Extended : Unrecorded, Scene {
    Extended() : Scene{"  limits: {profile: extended}\n"} {}
};

TEST_SUITE("contract/document")
{
    TEST_CASE_FIXTURE(Scene, "it is OpenAPI 3.1, and complete")
    {
        const json& all = document.json();
        CHECK(all.at("openapi").get<std::string>().starts_with("3.1."));
        CHECK(all.at("info").contains("title"));
        CHECK(all.at("info").contains("version"));
        CHECK(all.at("servers") == json::parse(R"([{"url": "/api/v1"}])"));
        for (const char* const name : schemas)
            CHECK_MESSAGE(all["components"]["schemas"].contains(name), name);
        for (const char* const name : responses)
            CHECK_MESSAGE(all["components"]["responses"].contains(name), name);
        for (const char* const name : tags)
            CHECK_MESSAGE(all.at("tags").dump().find(name) != std::string::npos, name);
        CHECK(all["components"]["schemas"]["CheckSettings"]["oneOf"].size() == 9);
        each_member(all, [&](const std::string& name, const json& value) {
            if (name == "$ref")
                CHECK_MESSAGE(
                    all.contains(json::json_pointer{value.get<std::string>().substr(1)}), value);
        });
    }

    TEST_CASE_FIXTURE(Scene, "every operation says what it is, who may call, what may come")
    {
        std::set<std::string> ids;
        for (const auto& operation : document.operations()) {
            CAPTURE(operation.name());
            const json& definition = operation.definition;
            CHECK(!operation.id.empty());
            CHECK(ids.insert(operation.id).second);
            CHECK(!definition.value("summary", "").empty());
            CHECK(definition.at("tags").size() == 1);
            CHECK(definition.at("security").is_array());
            CHECK(definition.at("security").empty() == without_header.contains(operation.id));
            CHECK(definition.value("deprecated", false) == deprecated.contains(operation.id));
            CHECK(definition.at("responses").size() >= 2);
            for (const auto& [status, response] : definition.at("responses").items())
                CHECK((response.contains("$ref") || response.contains("content")));
            const std::string parameters = definition.value("parameters", json::array()).dump();
            CHECK((parameters.find(R"("in":"path")") != std::string::npos) == operation.has_id());
        }
    }

    TEST_CASE_FIXTURE(Scene, "it needs no credential, and none disturbs it")
    {
        const std::string wanted = script.client().send({"GET", "openapi.json", {}, {}}).body;
        const Request with_token{"GET", "openapi.json", {"Authorization: Bearer x"}, {}};
        CHECK(script.client().send(with_token).body == wanted);
    }

    TEST_CASE_FIXTURE(Scene, "its examples are accepted as they are, but for ids")
    {
        int tried = 0;
        for (const auto& operation : document.operations()) {
            if (!operation.has_body())
                continue;
            const json& content =
                operation.definition["requestBody"]["content"]["application/json"];
            if (!content.contains("example"))
                continue;
            CAPTURE(operation.id);
            ++tried;
            json body = content["example"];
            for (const auto& [member, name] :
                {std::pair{"tenantId", "t"}, {"id", operation.path == "tenant/update"     ? "t"
                                                    : operation.path.starts_with("probe") ? "p"
                                                                                          : "c"}})
                if (body.contains(member))
                    body[member] = json::parse(script.text(name));
            if (body.contains("probes"))
                body["probes"] = json::array({json::parse(script.text("p"))});
            std::string path = operation.path;
            if (operation.has_id())
                path.replace(path.find("{id}"), 4, script.text("c"));
            const bool publisher = operation.credential() == "publisherToken";
            const Reply reply = script.client().send({operation.method, path,
                {bearer(publisher ? "pub-acme" : script.text("T1"))}, body.dump()});
            CAPTURE(reply.body);
            CHECK((reply.status == 200 || reply.status == 202 || reply.status == 409));
        }
        CHECK(tried > 0);
    }

    TEST_CASE_FIXTURE(Scene, "its limits are the contract's, and hold")
    {
        CHECK(input("frequency")["maximum"] == 120'000);
        CHECK(input("timeout")["maximum"] == 10'000);
        CHECK(input("labels")["maxItems"] == 5);
        limits_hold();
    }

    TEST_CASE_FIXTURE(Extended, "with the other profile they are the other's, and hold")
    {
        CHECK(input("frequency")["maximum"] == 3'600'000);
        CHECK(input("timeout")["maximum"] == 60'000);
        CHECK(input("labels")["maxItems"] == 10);
        limits_hold();
    }
}

}  // namespace
}  // namespace sonde::contract
