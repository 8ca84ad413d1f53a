#include "agent/cli/check_settings.h"

#include "config/json.h"
#include "config/json_names.h"
#include "config/reading.h"

#include <google/protobuf/descriptor.h>
#include <nlohmann/json.hpp>

namespace sonde::cli {
namespace {

using google::protobuf::Descriptor;
using Json = nlohmann::json;

Result<> know_members(const Json& value, const Descriptor& schema, const std::string& path)
{
    if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i)
            if (auto known = know_members(value[i], schema, fmt::format("{}[{}]", path, i)); !known)
                return known;
        return {};
    }
    if (!value.is_object())
        return {};
    for (const auto& [name, member] : value.items()) {
        const std::string where = path + '.' + name;
        const auto* field = config::find_member(schema, name);
        if (field == nullptr)
            return error("bad_value", "{}: {}", where, config::unknown_member(schema, name));
        if (field->message_type() == nullptr)
            continue;
        if (auto known = know_members(member, *field->message_type(), where); !known)
            return known;
    }
    return {};
}

void merge(const Json& from, Json& into)
{
    if (from.is_object() && into.is_object())
        for (const auto& [name, member] : from.items())
            merge(member, into[name]);
    else if (from.is_array() && into.is_array())
        into.insert(into.end(), from.begin(), from.end());
    else
        into = from;
}

}  // namespace

Result<> read_settings(const std::string& given, const std::string& kind,
    const nlohmann::json* flags, pb::CheckSettings& into)
{
    std::string text = given.empty() ? "{}" : given;
    if (given.starts_with('@')) {
        auto content = config::read_whole(given.substr(1));
        if (!content)
            return error("bad_value", "--settings: {}", content.error().message);
        text = std::move(*content);
    }
    const auto* field = into.GetDescriptor()->FindFieldByName(kind);
    auto& settings = *into.GetReflection()->MutableMessage(&into, field);
    const std::string path = "settings." + kind;
    if (const auto read = config::read_json(text, settings); !read) {
        const std::string& why = read.error().message;
        if (read.error().reason == "bad_json")  // it speaks of "body", the reader's usual source
            return error("bad_value", "--settings: {}", why.substr(why.find(": ") + 2));
        return error("bad_value", "{}.{}", path, why);
    }
    Json whole = Json::parse(text);
    if (auto known = know_members(whole, *settings.GetDescriptor(), path); !known || !flags)
        return known;
    merge(*flags, whole);
    settings.Clear();
    if (const auto read = config::read_json(whole.dump(), settings); !read)
        return error("bad_value", "{}.{}", path, read.error().message);
    return {};
}

}  // namespace sonde::cli
