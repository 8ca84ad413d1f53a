#include "agent/base/text.h"
#include "config/json.h"
#include "config/json_names.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>

namespace sonde::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void write(const Message& message, std::string& out);

void write_text(std::string_view value, std::string& out)
{
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

void write_enum(int number, const FieldDescriptor& field, std::string& out)
{
    const auto* value = field.enum_type()->FindValueByNumber(number);
    if (is_named_enum(*field.enum_type()) && value != nullptr)
        write_text(value->name(), out);
    else
        out += std::to_string(number);
}

/// One value: of a repeated field the one at `i`.
void write_value(const Message& m, const FieldDescriptor* f, int i, std::string& out)
{
    const auto& r = *m.GetReflection();
    const bool many = f->is_repeated();
    switch (f->cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
        return write(many ? r.GetRepeatedMessage(m, f, i) : r.GetMessage(m, f), out);
    case FieldDescriptor::CPPTYPE_BOOL:
        out += (many ? r.GetRepeatedBool(m, f, i) : r.GetBool(m, f)) ? "true" : "false";
        return;
    case FieldDescriptor::CPPTYPE_ENUM:
        return write_enum(many ? r.GetRepeatedEnumValue(m, f, i) : r.GetEnumValue(m, f), *f, out);
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
        const std::string value = many ? r.GetRepeatedString(m, f, i) : r.GetString(m, f);
        if (is_masked(*f))
            return write_text("<encrypted>", out);
        return write_text(
            f->type() == FieldDescriptor::TYPE_BYTES ? text::base64(value) : value, out);
    }
    }
}

/// What stands behind the name; nothing when the member is left out.
std::string member(const Message& m, const FieldDescriptor* f)
{
    const auto& r = *m.GetReflection();
    const WhenEmpty rule = when_empty(*f);
    std::string out;
    if (f->is_repeated()) {
        const int count = r.FieldSize(m, f);
        if (count == 0 && rule == WhenEmpty::omit)
            return out;
        out += '[';
        for (int i = 0; i < count; ++i) {
            if (i > 0)
                out += ',';
            write_value(m, f, i, out);
        }
        out += ']';
        return out;
    }
    // For a scalar without presence HasField means: is not zero.
    const bool empty = !r.HasField(m, f);
    if (empty && rule == WhenEmpty::omit)
        return out;
    if (empty && f->has_presence() && rule == WhenEmpty::print)
        return "null";
    write_value(m, f, 0, out);
    return out;
}

void write(const Message& message, std::string& out)
{
    const auto& type = *message.GetDescriptor();
    out += '{';
    bool first = true;
    const auto add = [&](std::string_view name, std::string_view value) {
        if (!std::exchange(first, false))
            out += ',';
        out += fmt::format("\"{}\":{}", name, value);
    };
    for (int i = 0; i < type.field_count(); ++i) {
        const FieldDescriptor* field = type.field(i);
        const std::string value = member(message, field);
        if (value.empty())
            continue;
        add(field->json_name(), value);
        if (const auto alias = alias_of(*field); !alias.empty())
            add(alias, value);
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
