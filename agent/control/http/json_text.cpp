#include "agent/control/http/json_text.h"

#include "config/json.h"

#include <google/protobuf/empty.pb.h>
#include <nlohmann/json.hpp>

namespace sonde::control {
namespace {

using nlohmann::json;

constexpr int deepest = 64;  // arrays and objects open at once (spec 04 §1.5)

/// The member; null when it is absent or the body is no object: that is for others to say. What is
/// nested too deeply is left out: the library copies and prints by recursion.
json find(std::string_view body, std::string_view name)
{
    const auto shallow = [](int depth, json::parse_event_t, const json&) {
        return depth < deepest;
    };
    const json value = json::parse(body, shallow, false);
    if (!value.is_object())
        return nullptr;
    const auto member = value.find(std::string{name});
    return member == value.end() ? json(nullptr) : *member;
}

}  // namespace

std::string quoted(std::string_view text)
{
    return json(std::string{text}).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string quoted(const std::vector<std::string>& texts)
{
    return json_list(
        texts, [](const std::string& text) { return control::quoted(std::string_view{text}); });
}

Result<> is_object(std::string_view body)
{
    google::protobuf::Empty nothing;  // no member is looked at
    return config::read_json(body, nothing);
}

Result<std::optional<std::int64_t>> integer_member(std::string_view body, std::string_view name)
{
    const json member = find(body, name);
    if (member.is_null())
        return std::optional<std::int64_t>{};
    if (!member.is_number_integer() ||
        (member.is_number_unsigned() && member.get<std::uint64_t>() > INT64_MAX))
        return error("bad_value", "{}: is not an integer", name);
    return std::optional{member.get<std::int64_t>()};
}

Result<std::optional<double>> number_member(std::string_view body, std::string_view name)
{
    const json member = find(body, name);
    if (member.is_null())
        return std::optional<double>{};
    if (!member.is_number())
        return error("bad_value", "{}: is not a number", name);
    return std::optional{member.get<double>()};
}

Result<std::optional<std::string>> text_member(std::string_view body, std::string_view name)
{
    const json member = find(body, name);
    if (member.is_null())
        return std::optional<std::string>{};
    if (!member.is_string())
        return error("bad_value", "{}: is not a string", name);
    return std::optional{member.get<std::string>()};
}

Result<std::optional<bool>> bool_member(std::string_view body, std::string_view name)
{
    const json member = find(body, name);
    if (member.is_null())
        return std::optional<bool>{};
    if (!member.is_boolean())
        return error("bad_value", "{}: is not true or false", name);
    return std::optional{member.get<bool>()};
}

std::optional<std::string> raw_member(std::string_view body, std::string_view name)
{
    const json member = find(body, name);
    if (member.is_null())
        return std::nullopt;
    return member.dump();
}

Result<std::string> object_member(std::string_view body, std::string_view name)
{
    auto raw = raw_member(body, name);
    if (!raw)
        return error("bad_value", "{}: is required", name);
    if (!raw->starts_with('{'))
        return error("bad_value", "{}: is not an object", name);
    return std::move(*raw);
}

std::string with_members(std::string object, std::string_view extra)
{
    object.pop_back();
    return object.append(object.size() > 1 ? "," : "").append(extra).append("}");
}

}  // namespace sonde::control
