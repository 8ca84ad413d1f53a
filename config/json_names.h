#pragma once

#include <google/protobuf/descriptor.h>

#include <span>
#include <string>
#include <string_view>

namespace sonde::config {

// What the HTTP API does with a member beyond the schema's json_name. Tables, because protobuf has
// no place for it that would leave the schema wire-compatible and free of our own options.

/// A second spelling of a member (spec 04 §2.9): read like the first, printed beside it.
struct JsonAlias {
    std::string_view message;
    std::string_view name;      ///< the schema's json_name
    std::string_view spelling;  ///< the seed's
};
std::span<const JsonAlias> json_aliases();
/// The second spelling of this field; empty for nearly all.
std::string_view alias_of(const google::protobuf::FieldDescriptor& field);

/// The field of this name, in either spelling; null: there is none.
const google::protobuf::FieldDescriptor* find_member(
    const google::protobuf::Descriptor& schema, std::string_view name);
/// What to say of a name that find_member() does not find: "is not a member; did you mean job?".
std::string unknown_member(const google::protobuf::Descriptor& schema, std::string_view name);

/// Whether the enum travels as the name of its value; else as its number (spec 01 §3).
bool is_named_enum(const google::protobuf::EnumDescriptor& type);

enum class WhenEmpty { print, omit, print_object };
/// What is printed of a field that is zero, empty or absent: it (an absent message as null),
/// nothing, or for a message its empty form (spec 01 §2, spec 04 §2.9, §2.10).
WhenEmpty when_empty(const google::protobuf::FieldDescriptor& field);

/// Whether the field is a secret that the API only ever prints as "<encrypted>" (spec 04 §2.4,
/// §2.5).
bool is_masked(const google::protobuf::FieldDescriptor& field);

}  // namespace sonde::config
