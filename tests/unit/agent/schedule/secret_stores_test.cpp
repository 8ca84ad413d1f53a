// Spec 01 §9.5.
#include "agent/schedule/secret_stores.h"
#include "tests/support/loop.h"
#include "tests/support/net_fixture.h"
#include "tests/support/scripted_server.h"

#include <doctest/doctest.h>

using namespace sonde;

namespace {

std::string answer(int status, const std::string& body)
{
    return fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
                       "Connection: close\r\n\r\n{}",
        status, body.size(), body);
}

struct StoreFixture : tests::NetFixture {
    schedule::SecretStores stores{curl};
    std::optional<tests::ScriptedServer> server;
    exporters::TenantKey key{exporters::Origin::api, 7};

    void serve(const std::vector<std::string>& answers)
    {
        std::vector<std::vector<tests::ScriptedServer::Step>> scripts;
        for (const auto& text : answers)
            scripts.push_back({{.await = "\r\n\r\n", .send = text}});
        server.emplace(loop, scripts);
    }

    std::string read(const std::string& name)
    {
        auto tenant = std::make_shared<exporters::Tenant>();
        tenant->secrets = exporters::SecretStore{
            "http://" + server->address() + "/base", config::Secret{"store-token"}};
        const auto source = stores.of(key, tenant);
        const auto value = tests::await(loop, source->secret(name));
        return value ? *value : fmt::format("!{}: {}", value.error().cause, value.error().message);
    }
};

}  // namespace

TEST_SUITE("agent/schedule/secret_stores")
{
    TEST_CASE_FIXTURE(StoreFixture, "a value is asked for with the tenant's token, and kept")
    {
        serve({answer(200, R"({"plaintext": "s3cret"})")});
        CHECK(read("a.b") == "s3cret");
        CHECK(read("a.b") == "s3cret");
        REQUIRE(server->received().size() == 1);
        const auto& request = server->received().front();
        CHECK(request.starts_with("GET /base/secrets/a.b/decrypt HTTP/1.1\r\n"));
        CHECK(request.find("\r\nAuthorization: Bearer store-token\r\n") != std::string::npos);
        CHECK(request.find("\r\nAccept: application/json\r\n") != std::string::npos);
    }

    TEST_CASE_FIXTURE(StoreFixture, "tenants do not share what they know")
    {
        serve({answer(200, R"({"plaintext": "one"})"), answer(200, R"({"plaintext": "two"})")});
        CHECK(read("a") == "one");
        key.id = 8;
        CHECK(read("a") == "two");
    }

    TEST_CASE_FIXTURE(StoreFixture, "what is not there is the check's fault, all else is not")
    {
        serve({answer(404, "{}"), answer(401, "{}"), answer(500, ""), answer(200, "no JSON"),
            answer(200, R"({"plaintext": 5})"), answer(200, R"({"plaintext": "at last"})")});
        CHECK(read("a").starts_with("!not_found: secret a: "));
        CHECK(read("a") == "!local_secret_store: secret a: the store of secrets answered with "
                           "status 401");
        CHECK(read("a").starts_with("!local_secret_store: "));
        CHECK(read("a").starts_with("!local_secret_store: "));
        CHECK(read("a").starts_with("!local_secret_store: "));
        CHECK(read("a") == "at last");
    }

    TEST_CASE_FIXTURE(StoreFixture, "a tenant without a store has no secrets")
    {
        CHECK(stores.of(key, std::make_shared<exporters::Tenant>()) == nullptr);
    }
}
