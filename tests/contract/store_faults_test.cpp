// Spec 04 §1.9: what every operation answers when its database is away, and when it is broken.
#include "agent/base/text.h"
#include "tests/contract/calls.h"
#include "tests/contract/document.h"
#include "tests/support/postgresql.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

namespace sonde::contract {
namespace {

/// Answers of the directory and of the description, which need no database.
const std::set<std::string> without_database = {"describe", "describeApi", "viewerToken"};

/// Asks for everything that is documented.
void each_answers(const Script& script, const Document& document, int status)
{
    for (const auto& operation : document.operations()) {
        if (without_database.contains(operation.id))
            continue;
        CAPTURE(operation.id);
        Request request = request_of(call_of(operation.id), operation.method, script);
        if (operation.credential() == "publisherToken")
            request.headers.push_back(bearer("pub-acme"));
        else if (!operation.credential().empty())
            request.headers.push_back(bearer(script.text("T1")));
        CHECK(script.client().send(request).status == status);
    }
}

TEST_SUITE("contract/store faults")
{
    TEST_CASE("a database that lets nobody in: 503, and then all is well again")
    {
        auto& cluster = tests::Postgresql::cluster();
        const std::string url = cluster.new_database();
        const tests::ScratchFolder folder;
        const tests::ApiProcess api{
            fmt::format("  database: {{url: \"{}\", password_file: \"{}\"}}\n"
                        "  secrets: {{key_file: \"{}\"}}\n",
                url, folder.write("password", tests::Postgresql::password),
                folder.write("key", "1:" + text::base64(std::string(32, 'k')) + "\n"))};
        Script script{api};
        const Document document{script.client()};
        register_tenants(script);
        add_probe_and_checks(script);
        cluster.open_to_connections(url, false);
        each_answers(script, document, 503);
        cluster.open_to_connections(url, true);
        CHECK(script.client().send({"GET", "check/list", {bearer(script.text("T1"))}, {}}).status ==
              200);
    }

    TEST_CASE("a database without its tables: 500")
    {
        const tests::ApiProcess api;
        Script script{api};
        const Document document{script.client()};
        register_tenants(script);
        add_probe_and_checks(script);
        int status = 0;
        const std::string drops = tests::run(
            {"sqlite3", api.database_file(),
                "SELECT 'DROP TABLE \"' || name || '\";' FROM sqlite_master WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite_%'"},
            &status);
        REQUIRE_MESSAGE(status == 0, drops);
        const std::string said = tests::run({"sqlite3", api.database_file(), drops}, &status);
        REQUIRE_MESSAGE(status == 0, said);
        each_answers(script, document, 500);
    }
}

}  // namespace
}  // namespace sonde::contract
