#pragma once

#include "config/reading.h"

#include <google/protobuf/descriptor.h>

namespace sonde::config {

/// A YAML node as JSON text, `${NAME}` replaced. Repeated keys, keys that are no words and nesting
/// beyond 64 become problems of `reading`, at their lines.
///
/// A quoted scalar is text, a plain one what YAML's core schema makes of it. With a `schema` a
/// plain scalar is text, too, where the message has text (`job: 123`), and unknown keys are
/// problems, but for the members of a Check that only the API itself writes.
std::string yaml_to_json(const YAML::Node& node, Reading& reading, const std::string& path,
    const google::protobuf::Descriptor* schema);

/// The node that a path such as "settings.http.headers[2]" leads to, or the deepest one on the way.
YAML::Node follow(const YAML::Node& node, std::string_view path);

}  // namespace sonde::config
