#include "config/yaml_json.h"

#include "agent/base/text.h"
#include "config/json_names.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace sonde::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

constexpr int deepest = 64;
constexpr std::size_t most_values = 100'000;  // of one check; aliases of aliases make more

/// What `check/list` prints of a check and no Check message holds (spec 04 §2.8).
constexpr std::array<std::string_view, 3> of_the_api{"folderUid", "alerts", "disableReason"};

bool is_text(const FieldDescriptor* field)
{
    return field != nullptr && (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING ||
                                   (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM &&
                                       is_named_enum(*field->enum_type())));
}

/// What a plain scalar is: null, true or false, a number, or else text.
json plain_scalar(const std::string& text, bool as_text)
{
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
        return nullptr;
    if (as_text)
        return text;
    if (text == "true" || text == "false")
        return text == "true";
    json number = json::parse(text, nullptr, false);
    return number.is_number() ? number : json(text);
}

/// What can be the name of a member. The text may be UTF-8 and a key not: yaml-cpp makes one byte
/// of "\N".
bool is_word(const YAML::Node& key)
{
    return key.IsScalar() && text::is_utf8(key.Scalar()) &&
           key.Scalar().find('\0') == std::string::npos;
}

class Conversion {
public:
    explicit Conversion(Reading& reading) : reading_{reading} {}

    json convert(const YAML::Node& node, const std::string& path, const Descriptor* schema,
        const FieldDescriptor* field, int depth)
    {
        if (over_)
            return nullptr;  // has been said
        over_ = depth > deepest || ++values_ > most_values;
        if (over_) {
            reading_.problem(node, path,
                depth > deepest ? "is nested too deeply" : "repeats too much by its aliases");
            return nullptr;
        }
        if (node.IsMap())
            return map(node, path, schema, depth);
        if (node.IsSequence()) {
            json list = json::array();
            for (std::size_t i = 0; i < node.size(); ++i)
                list.push_back(
                    convert(node[i], fmt::format("{}[{}]", path, i), schema, field, depth + 1));
            return list;
        }
        return node.IsScalar() ? scalar(node, path, field) : json(nullptr);
    }

private:
    json scalar(const YAML::Node& node, const std::string& path, const FieldDescriptor* field)
    {
        const auto text = reading_.interpolate(node.Scalar());
        if (!text) {
            reading_.problem(node, path, text.error().message);
            return nullptr;
        }
        if (!text::is_utf8(*text)) {
            reading_.problem(node, path, "not valid UTF-8");
            return nullptr;
        }
        if (text->find('\0') != std::string::npos) {
            reading_.problem(node, path, "the character U+0000 is not allowed");
            return nullptr;
        }
        return node.Tag() == "!" ? json(*text) : plain_scalar(*text, is_text(field));
    }

    json map(const YAML::Node& node, const std::string& path, const Descriptor* schema, int depth)
    {
        json object = json::object();
        for (const auto& entry : node) {
            if (!is_word(entry.first)) {
                reading_.problem(entry.first, path, "a key must be a single word");
                continue;
            }
            const std::string& key = entry.first.Scalar();
            const std::string where = path.empty() ? key : path + '.' + key;
            if (object.contains(key))
                reading_.problem(entry.first, where, "is there twice: keep one of them");
            const auto* field = schema == nullptr ? nullptr : find_member(*schema, key);
            if (schema != nullptr && field == nullptr) {
                if (schema->name() != "Check" || !is_of_the_api(key))
                    reading_.problem(entry.first, where, unknown_member(*schema, key));
                continue;
            }
            const auto* below = field == nullptr ? nullptr : field->message_type();
            object[key] = convert(entry.second, where, below, field, depth + 1);
        }
        return object;
    }

    static bool is_of_the_api(std::string_view key)
    {
        return std::find(of_the_api.begin(), of_the_api.end(), key) != of_the_api.end();
    }

    Reading& reading_;
    std::size_t values_ = 0;
    bool over_ = false;
};

}  // namespace

std::string yaml_to_json(
    const YAML::Node& node, Reading& reading, const std::string& path, const Descriptor* schema)
{
    return Conversion{reading}.convert(node, path, schema, nullptr, 1).dump();
}

YAML::Node follow(const YAML::Node& node, std::string_view path)
{
    const auto end = path.find_first_of(".[]");
    const auto name = path.substr(0, end);
    const auto rest = end == std::string_view::npos ? "" : path.substr(end + 1);
    if (name.empty())
        return path.empty() ? node : follow(node, rest);
    if (node.IsMap())
        for (const auto& entry : node)
            if (entry.first.IsScalar() && entry.first.Scalar() == name)
                return entry.second.IsNull() ? entry.first : follow(entry.second, rest);
    std::size_t index = 0;
    const auto [digits, failure] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (node.IsSequence() && failure == std::errc{} && index < node.size())
        return follow(node[index], rest);
    return node;
}

}  // namespace sonde::config
