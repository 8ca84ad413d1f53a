#include "agent/base/text.h"
#include "config/json.h"
#include "config/json_names.h"
#include "config/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sonde::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

/// A field, with what the tables of json_names.h say of it.
struct Member {
    const FieldDescriptor* field;
    std::string name;   ///< with quotes and colon
    std::string alias;  ///< the same of the second spelling; empty: there is none
    WhenEmpty when_empty;
    bool is_masked;
    bool is_named_enum;
};
using Members = std::vector<Member>;

Members members_of(const Descriptor& type)
{
    const auto key = [](std::string_view name) { return fmt::format("\"{}\":", name); };
    Members members;
    for (int i = 0; i < type.field_count(); ++i) {
        const FieldDescriptor& field = *type.field(i);
        const auto alias = alias_of(field);
        members.push_back({&field, key(field.json_name()), alias.empty() ? "" : key(alias),
            when_empty(field), is_masked(field),
            field.enum_type() != nullptr && is_named_enum(*field.enum_type())});
    }
    return members;
}

/// The tables are long, and a list of checks has a hundred thousand members: they are asked once.
const Members& schema_members(const Descriptor& type)
{
    static const auto all = [] {
        std::unordered_map<const Descriptor*, Members> members;
        const auto& schema = *pb::Check::descriptor()->file();
        const auto add = [&](const auto& self, const Descriptor& message) -> void {
            members.emplace(&message, members_of(message));
            for (int i = 0; i < message.nested_type_count(); ++i)
                self(self, *message.nested_type(i));
        };
        for (int i = 0; i < schema.message_type_count(); ++i)
            add(add, *schema.message_type(i));
        return members;
    }();
    return all.at(&type);
}

void write(const Message& message, std::string& out);

void write_text(std::string_view value, std::string& out)
{
    const bool plain = std::all_of(value.begin(), value.end(),
        [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
    if (plain) {
        out.append("\"").append(value).append("\"");
        return;
    }
    // A gRPC peer or a store could hand us ill-formed bytes: the reply must stay JSON.
    out += nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Shortest in its own width and never with an exponent; JSON has no word for what is not finite.
template <class Float>
void write_float(Float value, std::string& out)
{
    std::array<char, 512> digits;  // the longest double has 309 digits before the point, 325 after
    if (!std::isfinite(value)) {
        out += "null";
        return;
    }
    const auto end = std::to_chars(
        digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
    out.append(digits.data(), end.ptr);
}

void write_enum(int number, const Member& member, std::string& out)
{
    const auto* value = member.field->enum_type()->FindValueByNumber(number);
    if (member.is_named_enum && value != nullptr)
        write_text(value->name(), out);
    else
        out += std::to_string(number);
}

/// One value: of a repeated field the one at `i`.
void write_value(const Message& m, const Member& member, int i, std::string& out)
{
    const FieldDescriptor* const f = member.field;
    const auto& r = *m.GetReflection();
    const bool many = f->is_repeated();
    switch (f->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return write(many ? r.GetRepeatedMessage(m, f, i) : r.GetMessage(m, f), out);
    case FieldDescriptor::CPPTYPE_BOOL:
        out += (many ? r.GetRepeatedBool(m, f, i) : r.GetBool(m, f)) ? "true" : "false";
        return;
    case FieldDescriptor::CPPTYPE_ENUM:
        return write_enum(
            many ? r.GetRepeatedEnumValue(m, f, i) : r.GetEnumValue(m, f), member, out);
    case FieldDescriptor::CPPTYPE_INT64:
        out += std::to_string(many ? r.GetRepeatedInt64(m, f, i) : r.GetInt64(m, f));
        return;
    case FieldDescriptor::CPPTYPE_INT32:
        out += std::to_string(many ? r.GetRepeatedInt32(m, f, i) : r.GetInt32(m, f));
        return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
        return write_float(many ? r.GetRepeatedDouble(m, f, i) : r.GetDouble(m, f), out);
    case FieldDescriptor::CPPTYPE_FLOAT:
        return write_float(many ? r.GetRepeatedFloat(m, f, i) : r.GetFloat(m, f), out);
    default: {
        std::string scratch;
        const std::string& value = many ? r.GetRepeatedStringReference(m, f, i, &scratch)
                                        : r.GetStringReference(m, f, &scratch);
        if (member.is_masked)
            return write_text("<encrypted>", out);
        return write_text(
            f->type() == FieldDescriptor::TYPE_BYTES ? text::base64(value) : value, out);
    }
    }
}

/// Whether the field has something in it. Of a scalar without presence: whether it is not zero.
bool is_empty(const Message& m, const FieldDescriptor* f)
{
    const auto& r = *m.GetReflection();
    return f->is_repeated() ? r.FieldSize(m, f) == 0 : !r.HasField(m, f);
}

/// What stands behind the name.
void write_content(const Message& m, const Member& member, std::string& out)
{
    const FieldDescriptor* const f = member.field;
    if (!f->is_repeated()) {
        if (f->has_presence() && member.when_empty == WhenEmpty::print && is_empty(m, f))
            out += "null";
        else
            write_value(m, member, 0, out);
        return;
    }
    out += '[';
    const int count = m.GetReflection()->FieldSize(m, f);
    for (int i = 0; i < count; ++i) {
        if (i > 0)
            out += ',';
        write_value(m, member, i, out);
    }
    out += ']';
}

void write(const Message& message, std::string& out)
{
    out += '{';
    bool first = true;
    for (const Member& member : schema_members(*message.GetDescriptor())) {
        if (member.when_empty == WhenEmpty::omit && is_empty(message, member.field))
            continue;
        if (!std::exchange(first, false))
            out += ',';
        out += member.name;
        const auto begin = out.size();
        write_content(message, member, out);
        if (member.alias.empty())
            continue;
        const std::string content = out.substr(begin);
        out.append(",").append(member.alias).append(content);
    }
    out += '}';
}

}  // namespace

std::string write_json(const Message& message)
{
    std::string out;
    write(message, out);
    return out;
}

}  // namespace sonde::config
