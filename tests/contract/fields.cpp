#include "tests/contract/fields.h"

#include "agent/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace sonde::contract {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using nlohmann::json;

/// Enums that travel as numbers (spec 04 §2.1).
bool is_number(const FieldDescriptor& field)
{
    const std::string& name = field.enum_type()->name();
    return name == "TenantStatus" || name == "LabelMode";
}

class Difference {
public:
    explicit Difference(const std::vector<std::string>& but) : but_{but} {}

    void compare(const std::string& path, const Message& message, const json& printed)
    {
        const Descriptor& type = *message.GetDescriptor();
        for (int i = 0; i < type.field_count(); ++i) {
            const FieldDescriptor& field = *type.field(i);
            const std::string its_path =
                path.empty() ? field.json_name() : path + "." + field.json_name();
            if (std::find(but_.begin(), but_.end(), its_path) == but_.end())
                compare_field(its_path, message, field, printed);
        }
    }

    std::vector<std::string> found;

private:
    void differs(const std::string& path, const json& delivered, const json& printed)
    {
        found.push_back(
            fmt::format("{}: delivered {}, printed {}", path, delivered.dump(), printed.dump()));
    }

    void compare_field(const std::string& path, const Message& message,
        const FieldDescriptor& field, const json& printed)
    {
        const auto& reflection = *message.GetReflection();
        const json value = printed.value(field.json_name(), json{});
        if (field.is_repeated())
            return compare_list(path, message, field, value);
        if (field.message_type() == nullptr)
            return compare_scalar(path, scalar(message, field, -1), value);
        if (reflection.HasField(message, &field) != value.is_object())
            return differs(path, reflection.HasField(message, &field), value);
        if (value.is_object())
            compare(path, reflection.GetMessage(message, &field), value);
    }

    void compare_list(const std::string& path, const Message& message, const FieldDescriptor& field,
        const json& printed)
    {
        const auto& reflection = *message.GetReflection();
        const int size = reflection.FieldSize(message, &field);
        if (static_cast<std::size_t>(size) != (printed.is_null() ? 0 : printed.size()))
            return differs(path, size, printed);
        for (int i = 0; i < size; ++i) {
            const std::string element = fmt::format("{}[{}]", path, i);
            const json& value = printed[static_cast<std::size_t>(i)];
            if (field.message_type() != nullptr)
                compare(element, reflection.GetRepeatedMessage(message, &field, i), value);
            else
                compare_scalar(element, scalar(message, field, i), value);
        }
    }

    /// What is left out of JSON is the zero value.
    void compare_scalar(const std::string& path, const json& delivered, const json& printed)
    {
        const bool zero = delivered == json(0) || delivered == json("") ||
                          delivered == json(false) || delivered == json("none");
        if (delivered != printed && !(zero && printed.is_null()))
            differs(path, delivered, printed);
    }

    template <class One, class Many>
    static json of(int i, One one, Many many)
    {
        return i < 0 ? json(one()) : json(many());
    }

    static json scalar(const Message& m, const FieldDescriptor& f, int i)
    {
        const auto& r = *m.GetReflection();
        switch (f.cpp_type()) {
        case FieldDescriptor::CPPTYPE_BOOL:
            return of(
                i, [&] { return r.GetBool(m, &f); }, [&] { return r.GetRepeatedBool(m, &f, i); });
        case FieldDescriptor::CPPTYPE_INT32:
            return of(
                i, [&] { return r.GetInt32(m, &f); }, [&] { return r.GetRepeatedInt32(m, &f, i); });
        case FieldDescriptor::CPPTYPE_INT64:
            return of(
                i, [&] { return r.GetInt64(m, &f); }, [&] { return r.GetRepeatedInt64(m, &f, i); });
        case FieldDescriptor::CPPTYPE_DOUBLE:
            return of(
                i, [&] { return r.GetDouble(m, &f); },
                [&] { return r.GetRepeatedDouble(m, &f, i); });
        case FieldDescriptor::CPPTYPE_FLOAT:  // printed as the shortest decimal of a float
            return std::stod(fmt::format("{}", r.GetFloat(m, &f)));
        case FieldDescriptor::CPPTYPE_ENUM: {
            const auto* value = i < 0 ? r.GetEnum(m, &f) : r.GetRepeatedEnum(m, &f, i);
            return is_number(f) ? json(value->number()) : json(value->name());
        }
        default: {
            const std::string value = i < 0 ? r.GetString(m, &f) : r.GetRepeatedString(m, &f, i);
            return f.type() == FieldDescriptor::TYPE_BYTES ? text::base64(value) : value;
        }
        }
    }

    const std::vector<std::string>& but_;
};

}  // namespace

void walk(const Descriptor& message, const std::function<void(const std::string&)>& visit)
{
    for (int i = 0; i < message.field_count(); ++i) {
        const FieldDescriptor& field = *message.field(i);
        if (field.message_type() == nullptr) {
            visit(field.json_name());
            continue;
        }
        walk(*field.message_type(),
            [&](const std::string& path) { visit(field.json_name() + "." + path); });
    }
}

json member_at(const json& object, std::string_view path)
{
    json at = object;
    for (const auto name : text::split(path, '.')) {
        if (at.is_array())
            at = at.empty() ? json{} : at.front();
        if (!at.is_object() || !at.contains(name))
            return json(json::value_t::discarded);
        at = json(at[std::string{name}]);
    }
    return at;
}

std::vector<std::string> differences(
    const Message& delivered, const json& printed, const std::vector<std::string>& but)
{
    Difference difference{but};
    difference.compare("", delivered, printed);
    return difference.found;
}

}  // namespace sonde::contract
