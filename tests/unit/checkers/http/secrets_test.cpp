// Spec 02 §1.11.
#include "agent/base/text.h"
#include "checkers/http/secrets.h"
#include "tests/support/http_rows.h"

#include <doctest/doctest.h>

#include <map>

using namespace sonde;
using checkers::http::with_secrets;

namespace {

namespace asio = boost::asio;

struct Store final : checkers::SecretSource {
    std::map<std::string, std::string> values{
        {"token", "s3cret"}, {"a.b-c", "x"}, {"nested", "${secrets.token}"}, {"empty", ""}};
    std::vector<std::string> asked;

    asio::awaitable<Result<std::string>> secret(std::string name) override
    {
        asked.push_back(name);
        const auto found = values.find(name);
        if (found == values.end())
            co_return Error{"secret", "secret " + name + ": there is none", "not_found"};
        co_return found->second;
    }
};

struct SecretsFixture : tests::HttpFixture {
    Store store;

    std::string filled(const std::string& text)
    {
        const auto result = tests::await(loop, with_secrets(&store, text));
        return result ? *result : "!" + std::string{result.error().cause};
    }
};

}  // namespace

TEST_SUITE("checkers/http/secrets")
{
    TEST_CASE_FIXTURE(SecretsFixture, "each reference is replaced, once")
    {
        const std::pair<const char*, const char*> rows[] = {
            {"", ""},
            {"plain", "plain"},
            {"${secrets.token}", "s3cret"},
            {"a${secrets.token}b${secrets.a.b-c}c", "as3cretbxc"},
            {"${secrets.nested}", "${secrets.token}"},  // values are not scanned again
            {"${secrets.empty}", ""},
            {"${other} $secrets.token $${secrets.token}", "${other} $secrets.token $s3cret"},
            {"${secrets.token", "${secrets.token"},
            {"${secrets.absent}", "!not_found"},
            {"${secrets.}", "!bad_name"},
            {"${secrets.Token}", "!bad_name"},
            {"${secrets.-a}", "!bad_name"},
            {"${secrets.a.}", "!bad_name"},
            {"${secrets.a b}", "!bad_name"},
        };
        for (const auto& [text, expected] : rows) {
            CAPTURE(text);
            CHECK(filled(text) == expected);
        }
        CHECK(filled("${secrets." + std::string(253, 'a') + "}") == "!not_found");
        CHECK(filled("${secrets." + std::string(254, 'a') + "}") == "!bad_name");
    }

    TEST_CASE_FIXTURE(SecretsFixture, "they reach the request; the values stay out of the log")
    {
        auto& server = serve({tests::ok()});
        secrets = &store;
        const auto target = "http://" + server.address() + "/";
        auto report =
            ask(target, R"("secretManagerEnabled": true, "bearerToken": "v1-${secrets.token}")");
        CHECK(report.verdict.code == "");
        CHECK(server.received().back().find("Authorization: Bearer v1-s3cret\r\n") !=
              std::string::npos);
        for (const auto& entry : report.log)
            for (const auto& field : entry.fields)
                CHECK(field.value.find("s3cret") == std::string::npos);

        ask(target, R"("secretManagerEnabled": true,
            "basicAuth": {"username": "${secrets.token}", "password": "${secrets.token}"})");
        CHECK(server.received().back().find("Basic " + text::base64("${secrets.token}:s3cret")) !=
              std::string::npos);

        ask(target, R"("bearerToken": "${secrets.token}")");  // not asked for: literal
        CHECK(server.received().back().find("Bearer ${secrets.token}\r\n") != std::string::npos);
    }

    TEST_CASE_FIXTURE(SecretsFixture, "a secret that is not there fails the run before it begins")
    {
        auto& server = serve({tests::ok()});
        secrets = &store;
        const auto report = ask("http://" + server.address() + "/",
            R"("secretManagerEnabled": true, "tlsConfig": {"caCert": "JHtzZWNyZXRzLm5vcGV9"})");
        CHECK(report.verdict.code == "secret");
        CHECK(report.verdict.cause == "not_found");
        CHECK(report.observed.samples().empty());
        CHECK(server.received().empty());
        CHECK(tests::reasons_of(report) == "secret");
        secrets = nullptr;
        CHECK(ask("http://" + server.address() + "/",
                  R"("secretManagerEnabled": true, "bearerToken": "${secrets.token}")")
                  .verdict.cause == "local_secret_store");
    }
}
