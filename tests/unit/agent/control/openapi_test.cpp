#include "agent/control/http/openapi.h"
#include "agent/control/http/openapi_operations.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <map>
#include <set>
#include <string>

using namespace sonde;
using nlohmann::json;

namespace {

std::string name_of(control::verb method, std::string_view path)
{
    return std::string{boost::beast::http::to_string(method)} + " " + std::string{path};
}

}  // namespace

TEST_SUITE("agent/control/openapi")
{
    TEST_CASE("every route is described, and nothing else")
    {
        std::set<std::string> routes;
        for (const control::Route& route : control::all_routes())
            CHECK(routes.insert(name_of(route.method, route.path)).second);
        std::set<std::string> rows;
        for (const control::Operation& row : control::openapi_operations())
            CHECK(rows.insert(name_of(row.method, row.path)).second);
        CHECK(routes == rows);
    }

    TEST_CASE("a request body is described where the route takes one")
    {
        std::map<std::string, bool> takes_body;
        for (const control::Route& route : control::all_routes())
            takes_body[name_of(route.method, route.path)] = route.takes_body;
        for (const control::Operation& row : control::openapi_operations()) {
            CAPTURE(row.path);
            CHECK(takes_body[name_of(row.method, row.path)] == !row.request.empty());
        }
    }

    TEST_CASE("limits are those of the options")
    {
        config::ControlConfig config;
        const auto member_of = [&](const char* component, const char* member) {
            return json::parse(control::openapi_document(config))
                .at("components")
                .at("schemas")
                .at(component)
                .at("properties")
                .at(member);
        };
        const auto input = [&](const char* member) { return member_of("CheckInput", member); };
        for (const char* probe : {"ProbeInput", "ProbeUpdate"})
            CHECK(member_of(probe, "labels").at("maxItems") == 3);
        CHECK(input("frequency").at("maximum") == 120'000);
        CHECK(input("alertSensitivity").contains("enum"));
        config.extended_limits = true;
        config.allow_custom_alert_sensitivity = true;
        CHECK(input("frequency").at("maximum") == 3'600'000);
        CHECK(input("labels").at("maxItems") == 10);
        CHECK(!input("alertSensitivity").contains("enum"));
        config.enabled_kinds = {"browser"};
        CHECK(input("frequency").at("minimum") == 60'000);
        CHECK(input("timeout").at("maximum") == 180'000);
        config.enabled_kinds = {"traceroute"};
        CHECK(input("frequency").at("minimum") == 120'000);
        CHECK(input("timeout").at("maximum") == 30'000);
        config.enabled_kinds = {};
        CHECK(!input("frequency").contains("maximum"));
    }
}
