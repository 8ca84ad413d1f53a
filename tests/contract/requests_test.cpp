// Spec 04 §1.1, §1.2, §1.4, §1.5: what holds for every operation, by the served document.
#include "tests/contract/calls.h"
#include "tests/contract/document.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

namespace sonde::contract {
namespace {

struct Scene {
    tests::ApiProcess api;
    Script script{api};
    Document document{script.client()};

    Scene()
    {
        register_tenants(script);
        add_probe_and_checks(script);
    }

    /// A request with the credential that the operation wants, and its body.
    Request request(const Document::Operation& operation) const
    {
        Request out = request_of(call_of(operation.id), operation.method, script);
        out.headers.clear();
        if (!operation.credential().empty())
            out.headers.push_back(bearer(
                operation.credential() == "publisherToken" ? "pub-acme" : script.text("T1")));
        return out;
    }
};

/// How a body may be unacceptable before it is looked at, and when it is.
struct BadBody {
    const char* what;
    std::vector<std::string> headers;
    const char* body;  ///< null: a valid one
    int status;
};

const BadBody bad_bodies[] = {
    {"plain text", {"Content-Type: text/plain"}, nullptr, 415},
    {"a form", {"Content-Type: application/x-www-form-urlencoded"}, nullptr, 415},
    {"another charset", {"Content-Type: application/json; charset=iso-8859-1"}, nullptr, 415},
    {"compressed", {"Content-Type: application/json", "Content-Encoding: gzip"}, nullptr, 415},
    {"empty", {"Content-Type: application/json"}, "", 400},
    {"cut off", {"Content-Type: application/json"}, "{", 400},
    {"two values", {"Content-Type: application/json"}, "{} {}", 400},
    {"a number", {"Content-Type: application/json"}, "7", 400},
    {"null", {"Content-Type: application/json"}, "null", 400},
    {"no type, not JSON", {}, "not JSON", 400},
    {"not UTF-8", {"Content-Type: application/json"}, "{\"job\": \"\xff\"}", 400},
    {"a byte-order mark", {"Content-Type: application/json"}, "\xef\xbb\xbf{}", 400},
    {"half a surrogate pair", {"Content-Type: application/json"}, R"({"job": "\ud800"})", 400},
    {"U+0000", {"Content-Type: application/json"}, R"({"job": "\u0000"})", 400},
};

struct BadId {
    const char* id;
    int status;
};
constexpr BadId bad_ids[] = {{"abc", 400}, {"-1", 400}, {"+1", 400}, {"1.0", 400}, {"1e3", 400},
    {"9223372036854775808", 400}, {"12345678901234567890", 400}, {"%2F1", 400}, {"0", 404},
    {"999999", 404}, {"9223372036854775807", 404}};

std::string with_id(std::string path, const std::string& id)
{
    return path.replace(path.find("{id}"), 4, id);
}

TEST_SUITE("contract/requests")
{
    TEST_CASE_FIXTURE(Scene, "a body that no operation takes")
    {
        for (const auto& operation : document.operations())
            for (const BadBody& each : bad_bodies) {
                if (!operation.has_body())
                    continue;
                CAPTURE(operation.id);
                CAPTURE(each.what);
                Request bad = request(operation);
                bad.headers.insert(bad.headers.end(), each.headers.begin(), each.headers.end());
                if (each.body != nullptr)
                    bad.body = each.body;
                CHECK(script.client().send(bad).status == each.status);
            }
    }

    TEST_CASE_FIXTURE(Scene, "a body that is too large")
    {
        for (const auto& operation : document.operations()) {
            if (!operation.has_body())
                continue;
            CAPTURE(operation.id);
            Request bad = request(operation);
            bad.headers.emplace_back("Content-Type: application/json");
            bad.headers.emplace_back("Expect: 100-continue");
            bad.body = std::string((operation.id == "updateChecks" ? 16 << 20 : 1 << 20) + 1, ' ');
            CHECK(script.client().send(bad).status == 413);
        }
    }

    TEST_CASE_FIXTURE(Scene, "an operation without a body ignores one")
    {
        for (const auto& operation : document.operations()) {
            if (operation.has_body() || operation.method == "DELETE" ||
                operation.id == "refreshToken")
                continue;
            CAPTURE(operation.id);
            Request odd = request(operation);
            const int without = script.client().send(odd).status;
            odd = request(operation);
            odd.headers.emplace_back("Content-Type: text/plain");
            odd.body = "{";
            CHECK(script.client().send(odd).status == without);
        }
        for (const auto& [method, path] :
            {std::pair{"POST", "token/refresh"}, {"DELETE", "token/delete"}}) {
            const Reply made =
                script.client().send({"POST", "token/create", {bearer(script.text("T1"))}, {}});
            const std::string token = nlohmann::json::parse(made.body).at("accessToken");
            CHECK(script.client()
                      .send({method, path, {bearer(token), "Content-Type: text/plain"}, "{"})
                      .status == 200);
        }
    }

    TEST_CASE_FIXTURE(Scene, "ids that are none, and ids of nothing")
    {
        for (const auto& operation : document.operations())
            for (const BadId& each : bad_ids) {
                if (!operation.has_id())
                    continue;
                CAPTURE(operation.id);
                CAPTURE(each.id);
                Request bad = request(operation);
                bad.path = with_id(operation.path, each.id);
                CHECK(script.client().send(bad).status == each.status);
            }
    }

    TEST_CASE_FIXTURE(Scene, "other methods, OPTIONS and HEAD")
    {
        std::map<std::string, std::set<std::string>> methods;
        for (const auto& operation : document.operations())
            methods[operation.path].insert(operation.method);
        for (auto [path, allowed] : methods) {
            const std::string filled =
                path.find("{id}") == std::string::npos ? path : with_id(path, script.text("c"));
            CAPTURE(path);
            if (allowed.contains("GET"))
                allowed.insert("HEAD");
            for (const char* const method : {"GET", "POST", "PUT", "DELETE", "PATCH"})
                if (!allowed.contains(method))
                    CHECK(script.client().send({method, filled, {}, {}}).status == 405);
            const Reply options = script.client().send({"OPTIONS", filled, {}, {}});
            CHECK(options.status == 204);
            for (const std::string& method : allowed)
                CHECK(options.headers.at("allow").find(method) != std::string::npos);
        }
    }

    TEST_CASE_FIXTURE(Scene, "HEAD answers like GET, without the body")
    {
        for (const auto& operation : document.operations()) {
            if (operation.method != "GET")
                continue;
            CAPTURE(operation.id);
            const Reply full = script.client().send(request(operation));
            Request head = request(operation);
            head.method = "HEAD";
            const Reply short_one = script.client().send(head);
            CHECK(short_one.status == full.status);
            CHECK(short_one.headers.at("content-length") == full.headers.at("content-length"));
        }
    }

    TEST_CASE_FIXTURE(Scene, "how a path may be written")
    {
        constexpr std::pair<const char*, int> paths[] = {{"check//list", 200}, {"check/list/", 200},
            {"/check/list", 200}, {"check%2Flist", 404}, {"chec%6b/list", 200}, {"Check/list", 404},
            {"check/list/x", 404}, {"../v1/check/list", 404}, {"", 404}};
        for (const auto& [path, status] : paths) {
            CAPTURE(path);
            CHECK(script.client().send({"GET", path, {bearer(script.text("T1"))}, {}}).status ==
                  status);
        }
    }
}

}  // namespace
}  // namespace sonde::contract
