#pragma once

#include "agent/base/error.h"

#include <google/protobuf/message.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

/// What a caller knows of the text that the schema does not say.
struct ReadRules {
    std::span<const std::string_view> ignored =
        {};  ///< members of the top level: not even looked at
    /// The object as it is now, for an update: of two spellings of one member the one that repeats
    /// what is stored gives way (spec 04 §2.9). May be null; must outlive the call.
    const google::protobuf::Message* stored = nullptr;
};

/// JSON to any schema message and back, by reflection: the .proto files are the only field lists.
///
/// Names are the schema's json_name, compared exactly, plus the aliases of spec 04 §2.9; the enums
/// that spec 01 §3 calls strings travel as their names, the others as numbers; bytes as base64,
/// 64-bit integers as numbers (spec 01 §4, spec 04 §1.5 and §1.6). Unknown members are ignored,
/// null is absent, of a repeated name the last counts. A member that the text has replaces the one
/// in `into`; nothing else of `into` changes, but after an error it is half-read.
/// @return Error "bad_json" ("body: not valid UTF-8") for what is no JSON object, or "bad_value"
/// with the member's path, as in "settings.http.headers[2]: is not a string".
Result<> read_json(std::string_view text, google::protobuf::Message& into, ReadRules rules = {});

/// Compact, in the order of the schema, as the HTTP APIs print it: lists are never null, and what
/// spec 01 §2 marks with a ring is left out when empty. Numbers are the shortest plain decimals
/// that read back to the same value. Not for storage: a RemoteInfo's password and a SecretStore's
/// token are printed as "<encrypted>".
std::string write_json(const google::protobuf::Message& message);

/// The elements of a JSON array as texts of their own, to be read one by one.
/// @return Error "bad_json" for what is no JSON array.
Result<std::vector<std::string>> split_json_list(std::string_view text);

template <class M>
Result<M> from_json(std::string_view text, ReadRules rules = {})
{
    M message;
    if (auto read = read_json(text, message, rules); !read)
        return read.error();
    return message;
}

}  // namespace sonde::config
