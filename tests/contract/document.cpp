#include "tests/contract/document.h"

#include "agent/base/text.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

namespace sonde::contract {
namespace {

std::string upper(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
        [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

bool fits(std::string_view pattern, std::string_view path)
{
    const auto wanted = text::split(pattern, '/');
    const auto given = text::split(path, '/');
    return std::equal(wanted.begin(), wanted.end(), given.begin(), given.end(),
        [](std::string_view a, std::string_view b) { return a == "{id}" || a == b; });
}

}  // namespace

std::string Document::Operation::credential() const
{
    const auto& security = definition.at("security");
    return security.empty() ? "" : security.front().begin().key();
}

Document::Document(const HttpClient& client)
{
    const Reply reply = client.send({"GET", "openapi.json", {}, {}});
    REQUIRE(reply.status == 200);
    json_ = nlohmann::json::parse(reply.body);
    for (const auto& [path, methods] : json_.at("paths").items())
        for (const auto& [method, definition] : methods.items())
            operations_.push_back(
                {definition.value("operationId", ""), upper(method), path.substr(1), definition});
}

const Document::Operation* Document::find(const std::string& method, const std::string& path) const
{
    const auto named = [&](const Operation& each) {
        return each.method == method && each.path == path;
    };
    const auto fitting = [&](const Operation& each) {
        return each.method == method && fits(each.path, path);
    };
    const bool literal = std::any_of(operations_.begin(), operations_.end(),
        [&](const Operation& each) { return each.path == path; });
    const auto found = literal ? std::find_if(operations_.begin(), operations_.end(), named)
                               : std::find_if(operations_.begin(), operations_.end(), fitting);
    return found == operations_.end() ? nullptr : &*found;
}

}  // namespace sonde::contract
