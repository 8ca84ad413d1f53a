#include "agent/cli/ctl/fields.h"

#include "agent/base/text.h"
#include "agent/cli/ctl/table.h"
#include "config/json.h"
#include "config/json_names.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace sonde::cli::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t longest_shown = 60;
constexpr std::string_view hidden_value = "<secret>";
constexpr std::string_view nothing = "(none)";

/// Members whose value is a secret wherever they stand (spec 04 §2.9, §13.6). What a tcp check
/// sends may be a password.
constexpr std::array<std::string_view, 6> secret_members{
    "password", "bearerToken", "clientKey", "clientSecret", "send", "payload"};

bool is_second_spelling(std::string_view name)
{
    const auto all = config::json_aliases();
    return std::any_of(
        all.begin(), all.end(), [&](const auto& alias) { return alias.spelling == name; });
}

/// The member's name without its place in a list: "headers" of "settings.http.headers[2]".
std::string_view last_name(std::string_view path)
{
    path = path.substr(0, path.find_last_not_of("[]0123456789") + 1);
    const auto dot = path.rfind('.');
    return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

/// "Name: <secret>"
std::string hide_header(std::string_view line)
{
    const auto colon = line.find(':');
    if (colon == std::string_view::npos)
        return std::string{hidden_value};
    return fmt::format("{}: {}", line.substr(0, colon), hidden_value);
}

std::string shown(const std::string& path, const Json& value, const HiddenPaths& hidden)
{
    const auto name = last_name(path);
    const bool is_secret =
        hidden.contains(path) ||
        std::find(secret_members.begin(), secret_members.end(), name) != secret_members.end() ||
        (name == "value" && (path.find("headers[") != std::string::npos ||
                                path.find("endpointParams[") != std::string::npos));
    if (is_secret)
        return std::string{hidden_value};
    if (!value.is_string())
        return value.dump();
    std::string text = value.get<std::string>();
    if (name == "headers" || name == "proxyConnectHeaders")
        text = hide_header(text);
    else if (name == "proxyURL")
        text = hide_user(text);
    return text.empty() ? "\"\"" : printable(text::shorten(text, longest_shown));
}

void gather(
    const Json& value, const std::string& path, const HiddenPaths& hidden, std::vector<Field>& into)
{
    if (value.is_object() && !value.empty()) {
        for (const auto& [name, member] : value.items())
            if (!is_second_spelling(name))
                gather(member, path.empty() ? name : path + '.' + name, hidden, into);
    } else if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i)
            gather(value[i], fmt::format("{}[{}]", path, i), hidden, into);
    } else if (!value.is_null()) {
        into.push_back({path, value.dump(), shown(path, value, hidden)});
    }
}

}  // namespace

std::string hide_user(const std::string& url)
{
    const auto start = url.find("://");
    const auto at =
        url.substr(0, url.find('/', start == std::string::npos ? 0 : start + 3)).rfind('@');
    if (start == std::string::npos || at == std::string::npos)
        return url;
    return fmt::format("{}://{}{}", url.substr(0, start), hidden_value, url.substr(at));
}

std::vector<Field> fields_of(const google::protobuf::Message& message, const HiddenPaths& hidden)
{
    std::vector<Field> fields;
    gather(Json::parse(config::write_json(message)), "", hidden, fields);
    return fields;
}

std::vector<Field> telling(std::vector<Field> fields, const std::vector<Field>& usual)
{
    std::map<std::string_view, std::string_view> values;
    for (const Field& field : usual)
        values.emplace(field.path, field.value);
    std::erase_if(fields, [&](const Field& field) {
        const auto found = values.find(field.path);
        return field.value == "0" || field.value == "false" || field.value == "\"\"" ||
               (found != values.end() && found->second == field.value);
    });
    return fields;
}

std::vector<FieldChange> changes_between(
    const std::vector<Field>& before, const std::vector<Field>& after)
{
    std::map<std::string_view, const Field*> gone;
    for (const Field& field : before)
        gone.emplace(field.path, &field);
    std::vector<FieldChange> changes;
    for (const Field& field : after) {
        const auto old = gone.extract(field.path);
        if (!old)
            changes.push_back({field.path, std::string{nothing}, field.shown});
        else if (old.mapped()->value != field.value)
            changes.push_back({field.path,
                field.shown.find(hidden_value) == std::string::npos ? old.mapped()->shown
                                                                    : field.shown,
                field.shown});
    }
    for (const Field& field : before)
        if (gone.contains(field.path))
            changes.push_back({field.path, field.shown, std::string{nothing}});
    for (FieldChange& change : changes)
        if (change.before == change.after)  // secrets, or texts that differ behind the cut
            change.after += " (another)";
    return changes;
}

}  // namespace sonde::cli::ctl
