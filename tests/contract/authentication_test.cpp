// Spec 04 §1.3: every operation of the served document with every kind of credential.
#include "agent/base/text.h"
#include "tests/contract/calls.h"
#include "tests/contract/document.h"

#include <doctest/doctest.h>

namespace sonde::contract {
namespace {

constexpr std::string_view missing =
    R"({"code":401,"msg":"authorization token required","err":"missing API token"})";
constexpr std::string_view unknown =
    R"({"code":401,"msg":"invalid API authorization token","err":"invalid API token"})";
constexpr std::string_view bad_admin =
    R"({"code":401,"msg":"invalid admin token","err":"invalid API token"})";

/// Headers that no operation with a header credential accepts.
struct Refused {
    std::string_view what;
    std::string_view headers;  ///< lines, with `$name`
    std::string_view answer;
};

constexpr Refused refused_for_all[] = {
    {"no header", "", missing},
    {"an empty token", "Authorization: Bearer", missing},
    {"another scheme", "Authorization: Basic YTpi", missing},
    {"no scheme", "Authorization: $T1", missing},
    {"two headers", "Authorization: Bearer $T1\nAuthorization: Bearer $T1", missing},
    {"two different headers", "Authorization: Bearer nonsense\nAuthorization: Bearer $T1", missing},
    {"nonsense", "Authorization: Bearer nonsense", unknown},
    {"the form of a token", "Authorization: Bearer $never", unknown},
    {"the right lookup id, another secret", "Authorization: Bearer $forged", unknown},
    {"more behind the token", "Authorization: Bearer $T1 x", unknown},
    {"a revoked token", "Authorization: Bearer $revoked", unknown},
    {"a token of a deleted tenant", "Authorization: Bearer $orphan", unknown},
    {"an admin's token", "Authorization: Bearer adm-acme", unknown},
    {"a probe's token", "Authorization: Bearer $P", unknown},
    {"a probe's token, decoded", "Authorization: Bearer $raw", unknown},
};

constexpr Refused refused_for_access[] = {
    {"a publisher's token", "Authorization: Bearer pub-acme", unknown},
};
constexpr Refused refused_for_publishers[] = {
    {"an access token", "Authorization: Bearer $T1", unknown},
};

struct Scene {
    tests::ApiProcess api;
    Script script{api};
    Document document{script.client()};

    Scene()
    {
        register_tenants(script);
        add_probe_and_checks(script);
        const std::string token = script.text("T1");
        script.capture("forged", token.substr(0, 27) + std::string(43, 'A'));
        script.capture("never", "sma_" + std::string(22, 'A') + "_" + std::string(43, 'A'));
        script.capture("raw", *text::from_base64(script.text("P")));
        script.capture("revoked", fresh("T1"));
        send("DELETE", "token/delete", "revoked");
        const auto gamma = nlohmann::json::parse(script.client()
                .send({"POST", "register/install", {bearer("pub-gamma")},
                    R"({"stackId": 12, "metricsInstanceId": 21, "logsInstanceId": 22})"})
                .body);
        script.capture("orphan", gamma.at("accessToken"));
        script.capture("g", gamma.at("tenantInfo").at("id"));
        send("DELETE", "tenant/delete/$g", "orphan");
    }

    void send(const std::string& method, std::string_view path, const std::string& token) const
    {
        const Reply reply = script.client().send(
            {method, script.filled_in(path), {bearer(script.text(token))}, {}});
        REQUIRE(reply.status == 200);
    }

    /// A new access token of the tenant whose token this is.
    std::string fresh(const std::string& of) const
    {
        const Reply reply =
            script.client().send({"POST", "token/create", {bearer(script.text(of))}, {}});
        return nlohmann::json::parse(reply.body).at("accessToken");
    }

    std::string objects() const
    {
        std::string out;
        for (const char* const path : {"check/list?includeAlerts=1", "probe/list", "tenant",
                 "tenant/settings", "tenant/label-mode"})
            out += script.client().send({"GET", path, {bearer(script.text("T1"))}, {}}).body + "\n";
        return out;
    }

    void is_refused(const Document::Operation& operation, std::span<const Refused> rows) const
    {
        CAPTURE(operation.id);
        for (const Refused& row : rows) {
            CAPTURE(row.what);
            Request request = request_of(call_of(operation.id), operation.method, script);
            const std::string lines = script.filled_in(row.headers);
            for (const auto line : text::split(lines, '\n'))
                if (!line.empty())
                    request.headers.emplace_back(line);
            const Reply reply = script.client().send(request);
            CHECK(reply.status == 401);
            CHECK(reply.body == row.answer);
        }
    }

    int status_with(const Document::Operation& operation, const std::string& token) const
    {
        Request request = request_of(call_of(operation.id), operation.method, script);
        request.headers.push_back(bearer(token));
        return script.client().send(request).status;
    }
};

TEST_SUITE("contract/authentication")
{
    TEST_CASE_FIXTURE(Scene, "what is refused, everywhere, and without effect")
    {
        const std::string before = objects();
        for (const auto& operation : document.operations()) {
            if (operation.credential().empty())
                continue;
            is_refused(operation, refused_for_all);
            if (operation.credential() == "publisherToken")
                is_refused(operation, refused_for_publishers);
            else
                is_refused(operation, refused_for_access);
        }
        CHECK(objects() == before);
    }

    TEST_CASE_FIXTURE(Scene, "another tenant's token, then the right one")
    {
        for (const auto& operation : document.operations()) {
            CAPTURE(operation.id);
            const Call& call = call_of(operation.id);
            const bool publisher = operation.credential() == "publisherToken";
            CHECK(status_with(operation, publisher ? "pub-beta" : fresh("U1")) == call.other);
        }
        // Deleting comes last: others need what it takes away.
        for (const Call& call : all_calls())
            for (const auto& operation : document.operations())
                if (operation.id == call.operation) {
                    CAPTURE(operation.id);
                    const bool publisher = operation.credential() == "publisherToken";
                    CHECK(status_with(operation, publisher ? "pub-acme" : fresh("T1")) == call.own);
                }
    }

    TEST_CASE_FIXTURE(Scene, "where the token is in the body, a header does not matter")
    {
        for (const char* const id : {"init", "viewerToken", "describe"}) {
            CAPTURE(id);
            const Call& call = call_of(id);
            for (const char* const header : {"Authorization: Bearer nonsense",
                     "Authorization: Basic YTpi", "Authorization: Bearer", "X-Nothing: none"}) {
                Request request = request_of(call, "POST", script);
                request.headers.emplace_back(header);
                CHECK(script.client().send(request).status == 200);
            }
        }
    }

    TEST_CASE_FIXTURE(Scene, "no other token stands in for an admin's")
    {
        for (const char* const id : {"init", "viewerToken", "describe", "save"})
            for (const char* const token :
                {"x", "pub-acme", "$T1", "adm-acm", "adm-acme ", "Bearer adm-acme"}) {
                CAPTURE(id);
                CAPTURE(token);
                Request request = request_of(call_of(id), "POST", script);
                auto body = nlohmann::json::parse(*request.body);
                body["apiToken"] = script.filled_in(token);
                request.body = body.dump();
                request.headers.push_back(bearer(script.text("T1")));
                const Reply reply = script.client().send(request);
                CHECK(reply.status == 401);
                CHECK(reply.body == bad_admin);
                body.erase("apiToken");
                request.body = body.dump();
                CHECK(script.client().send(request).status == 400);
            }
    }

    TEST_CASE_FIXTURE(Scene, "how a header may be written")
    {
        const std::string token = script.text("T1");
        for (const char* const scheme : {"Bearer ", "bearer ", "BEARER  ", "Bearer     "}) {
            CAPTURE(scheme);
            const Reply reply = script.client().send(
                {"POST", "token/validate", {"Authorization:  " + (scheme + token) + "  "}, {}});
            CHECK(reply.status == 200);
        }
    }
}

}  // namespace
}  // namespace sonde::contract
