#pragma once

#include "agent/cli/ctl/fields.h"
#include "config/schema.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sonde::cli::ctl {

/// A check as a file has it.
struct DeclaredCheck {
    pb::Check check;                        ///< without its probes
    std::vector<std::string> probes;        ///< names or ids
    std::optional<std::string> folder_uid;  ///< absent: whatever the API has
    HiddenPaths hidden;                     ///< what came out of the environment
    std::string place;                      ///< "FILE:LINE"
};

/// A probe as a file has it.
struct DeclaredProbe {
    pb::Probe probe;
    std::string json;  ///< its members: what is not among them is left as it is
    HiddenPaths hidden;
    std::string place;
};

struct Declared {
    std::vector<DeclaredCheck> checks;
    std::vector<DeclaredProbe> probes;
    bool speaks_of_checks = false;  ///< some file has a place for checks, be it empty
    bool speaks_of_probes = false;
    std::vector<std::string> problems;  ///< "FILE:LINE: MEMBER: what"; all of them
};

/// What a file that is neither a mapping with `checks` or `probes` holds: one, or a list of them.
enum class Contents { checks, probes };

/// Reads files, and of folders all *.yaml, *.yml and *.json below them but hidden ones; "-" is
/// standard input. The form is that of `checks_files` (spec 07 §3.3), with its defaults; besides
/// `probes` count, by name or id, and checks that are off. Two checks of the same job and target,
/// or probes of the same name, are a problem that names both places.
Declared read_declared(const std::vector<std::string>& paths,
    const std::map<std::string, std::string>& environment, Contents contents = Contents::checks);

}  // namespace sonde::cli::ctl
