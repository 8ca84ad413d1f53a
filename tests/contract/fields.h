#pragma once

#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::contract {

/// Calls `visit` with the path of every member below a message that is no message itself:
/// "tlsConfig.caCert"; a member of the elements of a list as "queryResponse.send".
void walk(const google::protobuf::Descriptor& message,
    const std::function<void(const std::string& path)>& visit);

/// The member at such a path; of a list, of its first element. Discarded: there is none.
nlohmann::json member_at(const nlohmann::json& object, std::string_view path);

/// What a delivered message says differently from JSON of the HTTP API: every field of the schema,
/// by reflection; floats and doubles to the bit. Members named in `but` are left out.
std::vector<std::string> differences(const google::protobuf::Message& delivered,
    const nlohmann::json& printed, const std::vector<std::string>& but = {});

}  // namespace sonde::contract
