// Last of all, since doctest runs files in the order of their names: what the tests of this program
// have heard is held against the served description.
#include "tests/contract/document.h"
#include "tests/contract/recorder.h"
#include "tests/support/api_process.h"
#include "tests/support/process.h"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

namespace sonde::contract {
namespace {

using nlohmann::json;

/// Answers that no test of this program can bring about: these operations ask the directory, or the
/// description itself, which are in memory. They are documented like all others.
const std::set<std::string> unseen = {
    "describe 500", "describe 503", "viewerToken 500", "viewerToken 503", "describeApi 500"};

constexpr std::size_t enough_of_one =
    40;  ///< answers that are looked at, of an operation and status

std::string key_of(const Document::Operation& operation, int status)
{
    return operation.id + " " + std::to_string(status);
}

json exchange_of(const Exchange& each, const Document::Operation* operation)
{
    // What was refused may have been anything, UTF-8 or not.
    json out = {{"status", std::to_string(each.status)},
        {"request", each.status < 300 ? each.request : ""}, {"answer", each.answer}};
    if (operation != nullptr) {
        std::string method = operation->method;
        for (char& c : method)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        out["method"] = method;
        out["path"] = "/" + operation->path;
    }
    return out;
}

TEST_SUITE("contract/whole document")
{
    TEST_CASE("all answers are as documented, and all that is documented was seen")
    {
        const tests::ApiProcess api;
        const Document document{HttpClient{api.http_port()}};
        std::map<std::string, std::size_t> seen;
        json exchanges = json::array();
        for (const Exchange& each : recorder().exchanges()) {
            if (each.method == "HEAD" || each.method == "OPTIONS")
                continue;
            const auto* operation = document.find(each.method, each.path);
            const std::string key = operation ? key_of(*operation, each.status) : "none";
            if (seen[key]++ < enough_of_one)
                exchanges.push_back(exchange_of(each, operation));
        }
        for (const auto& operation : document.operations())
            for (const auto& [status, response] : operation.definition.at("responses").items()) {
                const std::string key = key_of(operation, std::stoi(status));
                CHECK_MESSAGE((unseen.contains(key) || seen.contains(key)),
                    "never seen: " << key << " (this case needs all others before it)");
            }

        const tests::ScratchFolder folder;
        int status = 0;
        const std::string problems =
            tests::run({"/usr/bin/python3", tests::source_path("tests/contract/check_exchanges.py"),
                           folder.write("document.json", document.json().dump()),
                           folder.write("exchanges.json", exchanges.dump())},
                &status);
        CHECK_MESSAGE(status == 0, problems);
        MESSAGE(exchanges.size() << " of " << recorder().exchanges().size()
                                 << " answers held against " << document.operations().size()
                                 << " operations");
    }
}

}  // namespace
}  // namespace sonde::contract
