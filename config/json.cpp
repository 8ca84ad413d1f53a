#include "config/json.h"

#include "agent/base/text.h"
#include "config/json_names.h"

#include <google/protobuf/descriptor.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace sonde::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using nlohmann::json;

constexpr int deepest = 64;  // arrays and objects open at once (spec 04 §1.5)

Error no_json(std::string_view what)
{
    return error("bad_json", "body: {}", what);
}

Error bad(std::string_view path, std::string_view what)
{
    return error("bad_value", "{}: {}", path, what);
}

/// Refuses before parsing what the parser would let pass: deep nesting and the character U+0000.
Result<> check_text(std::string_view text)
{
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted && c == '\\' && text.substr(i++, 6) == "\\u0000")
            return no_json("the character U+0000 is not allowed");
        else if (!quoted && (c == '[' || c == '{') && ++depth > deepest)
            return no_json("nested too deeply");
        else if (!quoted && (c == ']' || c == '}'))
            --depth;
    }
    return {};
}

Result<json> parse(std::string_view text)
{
    if (!text::is_utf8(text))
        return no_json("not valid UTF-8");
    if (text.starts_with("\xEF\xBB\xBF"))
        return no_json("begins with a byte-order mark");
    if (auto fits = check_text(text); !fits)
        return fits.error();
    json value = json::parse(text, nullptr, false);
    if (value.is_discarded())
        return no_json("not valid JSON");
    return value;
}

/// Where a value goes: sets a field, or appends when it is repeated.
struct Slot {
    Message& message;
    const FieldDescriptor* field;
    const google::protobuf::Reflection& reflection = *message.GetReflection();

    Message& object() const
    {
        return field->is_repeated() ? *reflection.AddMessage(&message, field)
                                    : *reflection.MutableMessage(&message, field);
    }
    void text(std::string value) const
    {
        field->is_repeated() ? reflection.AddString(&message, field, std::move(value))
                             : reflection.SetString(&message, field, std::move(value));
    }
    void boolean(bool value) const
    {
        field->is_repeated() ? reflection.AddBool(&message, field, value)
                             : reflection.SetBool(&message, field, value);
    }
    void int64(std::int64_t value) const
    {
        field->is_repeated() ? reflection.AddInt64(&message, field, value)
                             : reflection.SetInt64(&message, field, value);
    }
    void int32(std::int32_t value) const
    {
        field->is_repeated() ? reflection.AddInt32(&message, field, value)
                             : reflection.SetInt32(&message, field, value);
    }
    void number(double value) const
    {
        field->is_repeated() ? reflection.AddDouble(&message, field, value)
                             : reflection.SetDouble(&message, field, value);
    }
    void single(float value) const
    {
        field->is_repeated() ? reflection.AddFloat(&message, field, value)
                             : reflection.SetFloat(&message, field, value);
    }
    void number_of_enum(int value) const
    {
        field->is_repeated() ? reflection.AddEnumValue(&message, field, value)
                             : reflection.SetEnumValue(&message, field, value);
    }
};

/// An integer in the range of T; `1.0`, `1e3` and what does not fit are none.
template <class T>
std::optional<T> integer(const json& value)
{
    using Limits = std::numeric_limits<T>;
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        return number <= static_cast<std::uint64_t>(Limits::max())
                   ? std::optional{static_cast<T>(number)}
                   : std::nullopt;
    }
    if (!value.is_number_integer())
        return std::nullopt;
    const auto number = value.get<std::int64_t>();
    return number >= Limits::min() && number <= Limits::max()
               ? std::optional{static_cast<T>(number)}
               : std::nullopt;
}

/// The value of this name, exactly or else without regard to case; "" is the zero value.
const google::protobuf::EnumValueDescriptor* named(
    const google::protobuf::EnumDescriptor& type, const std::string& name)
{
    if (name.empty())
        return type.FindValueByNumber(0);
    if (const auto* exact = type.FindValueByName(name))
        return exact;
    for (int i = 0; i < type.value_count(); ++i)
        if (text::lower(type.value(i)->name()) == text::lower(name))
            return type.value(i);
    return nullptr;
}

std::string names(const google::protobuf::EnumDescriptor& type)
{
    std::string out;
    for (int i = 0; i < type.value_count(); ++i)
        out += (i > 0 ? ", " : "") + type.value(i)->name();
    return out;
}

Result<> put_enum(const json& value, const Slot& slot, const std::string& path)
{
    const auto& type = *slot.field->enum_type();
    if (!is_named_enum(type)) {
        const auto number = integer<std::int32_t>(value);
        if (!number)
            return bad(path, "is not a 32-bit integer");
        slot.number_of_enum(*number);
        return {};
    }
    if (!value.is_string())
        return bad(path, "is not a string");
    const auto* found = named(type, value.get<std::string>());
    if (found == nullptr)
        return bad(path, "is not one of " + names(type));
    slot.number_of_enum(found->number());
    return {};
}

Result<> put_text(const json& value, const Slot& slot, const std::string& path)
{
    // The public text draws http.body with brackets (spec 04 §2.9).
    const bool body = slot.field->full_name() == "synthetic_monitoring.HttpSettings.body";
    if (body && value.is_array()) {
        if (value.size() > 1)
            return bad(path, "has more than one element");
        return value.empty() ? Result<>{} : put_text(value[0], slot, path + "[0]");
    }
    if (!value.is_string())
        return bad(path, "is not a string");
    if (slot.field->type() != FieldDescriptor::TYPE_BYTES) {
        slot.text(value.get<std::string>());
        return {};
    }
    auto bytes = text::from_base64(value.get_ref<const std::string&>());
    if (!bytes)
        return bad(path, bytes.error().message);
    slot.text(std::move(*bytes));
    return {};
}

Result<> put_number(const json& value, const Slot& slot, const std::string& path)
{
    switch (slot.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64: {
        const auto number = integer<std::int64_t>(value);
        if (!number)
            return bad(path, "is not a 64-bit integer");
        slot.int64(*number);
        return {};
    }
    case FieldDescriptor::CPPTYPE_INT32: {
        const auto number = integer<std::int32_t>(value);
        if (!number)
            return bad(path, "is not a 32-bit integer");
        slot.int32(*number);
        return {};
    }
    default:
        break;
    }
    if (!value.is_number())
        return bad(path, "is not a number");
    const auto number = value.get<double>();
    if (slot.field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
        slot.number(number);
        return {};
    }
    if (std::abs(number) > std::numeric_limits<float>::max())
        return bad(path, "is too large");
    slot.single(static_cast<float>(number));
    return {};
}

Result<> merge(const json& value, Message& into, const std::string& path, const ReadRules& rules);

Result<> put(const json& value, const Slot& slot, const std::string& path, const Message* stored)
{
    switch (slot.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
        ReadRules below;
        if (stored != nullptr && !slot.field->is_repeated())
            below.stored = &stored->GetReflection()->GetMessage(*stored, slot.field);
        return merge(value, slot.object(), path, below);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
        if (!value.is_boolean())
            return bad(path, "is not true or false");
        slot.boolean(value.get<bool>());
        return {};
    case FieldDescriptor::CPPTYPE_STRING:
        return put_text(value, slot, path);
    case FieldDescriptor::CPPTYPE_ENUM:
        return put_enum(value, slot, path);
    default:
        return put_number(value, slot, path);
    }
}

Result<> put_member(
    const json& value, const Slot& slot, const std::string& path, const Message* stored)
{
    slot.reflection.ClearField(&slot.message, slot.field);
    if (!slot.field->is_repeated())
        return put(value, slot, path, stored);
    if (!value.is_array())
        return bad(path, "is not a list");
    for (std::size_t i = 0; i < value.size(); ++i)
        if (auto done = put(value[i], slot, fmt::format("{}[{}]", path, i), stored); !done)
            return done;
    return {};
}

/// A message of `type` with no more than this field, in wire form: what it comes down to.
Result<std::string> meaning(
    const json& value, const FieldDescriptor* field, const Message& type, const std::string& path)
{
    const std::unique_ptr<Message> alone{type.New()};
    if (auto done = put_member(value, Slot{*alone, field}, path, nullptr); !done)
        return done.error();
    return alone->SerializeAsString();
}

std::string stored_meaning(const Message& stored, const FieldDescriptor* field)
{
    const std::unique_ptr<Message> alone{stored.New()};
    alone->CopyFrom(stored);
    for (int i = 0; i < stored.GetDescriptor()->field_count(); ++i)
        if (const auto* other = stored.GetDescriptor()->field(i); other != field)
            alone->GetReflection()->ClearField(alone.get(), other);
    return alone->SerializeAsString();
}

/// Which of two spellings counts: either when they agree, else the one that was changed.
Result<const json*> choose(const json& ours, const json& theirs, const FieldDescriptor* field,
    const Message& into, const std::string& path, const Message* stored)
{
    const auto first = meaning(ours, field, into, path);
    const auto second = meaning(theirs, field, into, path);
    if (!first)
        return first.error();
    if (!second)
        return second.error();
    if (*first == *second)
        return &ours;
    if (stored != nullptr) {
        const std::string before = stored_meaning(*stored, field);
        if (*second == before)
            return &ours;
        if (*first == before)
            return &theirs;
    }
    return bad(path, fmt::format("differs from {}", alias_of(*field)));
}

/// The member's value under either spelling; null when it is absent.
Result<const json*> find(const json& object, const FieldDescriptor* field, const Message& into,
    const std::string& path, const Message* stored)
{
    const auto look = [&](std::string_view name) -> const json* {
        const auto found = object.find(name);
        return found == object.end() || found->is_null() ? nullptr : &*found;
    };
    const json* ours = look(field->json_name());
    const auto alias = alias_of(*field);
    const json* theirs = alias.empty() ? nullptr : look(alias);
    if (ours != nullptr && theirs != nullptr)
        return choose(*ours, *theirs, field, into, path, stored);
    return ours != nullptr ? ours : theirs;
}

Result<> merge(const json& value, Message& into, const std::string& path, const ReadRules& rules)
{
    if (!value.is_object())
        return bad(path, "is not an object");
    const auto& type = *into.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i) {
        const FieldDescriptor* field = type.field(i);
        const std::string& name = field->json_name();
        if (std::find(rules.ignored.begin(), rules.ignored.end(), name) != rules.ignored.end())
            continue;
        const std::string where = path.empty() ? name : path + '.' + name;
        const auto found = find(value, field, into, where, rules.stored);
        if (!found)
            return found.error();
        if (*found == nullptr)
            continue;
        if (auto done = put_member(**found, Slot{into, field}, where, rules.stored); !done)
            return done;
    }
    return {};
}

}  // namespace

Result<> read_json(std::string_view text, Message& into, ReadRules rules)
{
    const auto value = parse(text);
    if (!value)
        return value.error();
    if (!value->is_object())
        return no_json("not a JSON object");
    return merge(*value, into, "", rules);
}

Result<std::vector<std::string>> split_json_list(std::string_view text)
{
    const auto value = parse(text);
    if (!value)
        return value.error();
    if (!value->is_array())
        return no_json("not a JSON array");
    std::vector<std::string> out;
    for (const json& element : *value)
        out.push_back(element.dump());
    return out;
}

}  // namespace sonde::config
