#pragma once

#include "agent/base/error.h"

#include <yaml-cpp/yaml.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

/// A file while it is being read: where problems go, and what overrides it (spec 07 §1).
struct Reading {
    std::string file;
    std::string directory;  ///< of the file: relative paths start there
    std::map<std::string, std::string> environment;
    std::map<std::string, std::string> overrides;  ///< path of a key to its value
    bool allow_inline_secrets = false;
    std::vector<std::string> problems = {};
    std::vector<std::string> warnings = {};
    std::map<std::string, std::string> known = {};  ///< every key asked for: its path and default
    std::set<std::string> secret_files = {};        ///< the paths of KEY_file beside them

    /// "FILE:LINE: PATH: what"; the line is left out for what stands in no line.
    void problem(const YAML::Node& at, std::string_view path, std::string_view what);
    void warning(const YAML::Node& at, std::string_view path, std::string_view what);

    /// `${NAME}` replaced from the environment, `$${` by `${`. @return Error that names NAME.
    Result<std::string> interpolate(std::string_view text) const;
    std::optional<std::string> variable(const std::string& name) const;

    /// The one YAML document of `file`; nullopt after a problem was noted: the file cannot be read,
    /// is not UTF-8, is no YAML, or holds several documents.
    /// @param read gets the text, if it is not null.
    std::optional<YAML::Node> load(std::string* read = nullptr);

private:
    std::string place(const YAML::Node& at, std::string_view path, std::string_view what) const;
};

/// Whether `text` is `${NAME}` and nothing else.
bool is_reference(std::string_view text);

/// The content of a file. @return Error "bad_value": "PATH: No such file or directory".
Result<std::string> read_whole(const std::string& path);

}  // namespace sonde::config
