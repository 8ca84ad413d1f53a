#pragma once

#include "agent/base/error.h"
#include "agent/cli/ctl/files.h"
#include "agent/cli/ctl/inventory.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli::ctl {

/// Which objects that no file has may be deleted, and whose label the declared checks must carry.
struct Ownership {
    enum class Prune { nothing, owned, all };
    Prune prune = Prune::nothing;
    std::optional<pb::Label> owner;  ///< "LABEL=VALUE" taken apart
};

enum class Action { add, change, remove };

/// One call of the API that brings it nearer to what the files say.
struct Step {
    Action action = Action::add;
    bool is_probe = false;
    std::int64_t id = 0;  ///< 0: it will get one
    std::string name;     ///< of the probe, or "job/target"
    std::string place;    ///< in which file; empty for what is in none
    std::vector<FieldChange> changes;

    pb::Probe probe;                  ///< to be sent, for probes
    pb::Check check;                  ///< to be sent, for checks; `probes` has those with ids
    std::vector<std::string> coming;  ///< names of further probes that are about to be added
    std::string folder_uid;
};

struct Plan {
    std::vector<Step> steps;     ///< in the order in which they can be done
    std::size_t unchanged = 0;   ///< declared, and the API has them so
    std::size_t left_alone = 0;  ///< of a sort that files speak of, in no file, and they stay
    std::vector<std::string> problems;  ///< "FILE:LINE: …"; with any there are no steps
};

/// What is to be done. Checks are the same when job and target are, probes of the tenant when the
/// name is. Pure: asks nobody, changes nothing.
///
/// Deleted is only what `ownership` lets, and of a sort that the files speak of: checks where they
/// have a place for checks, probes where they have one for probes. Probes come first, deletions of
/// probes last, so that a check never names a probe that is not there.
Plan make_plan(const Declared& declared, std::int64_t tenant, const KnownProbes& probes,
    const KnownChecks& checks, const Ownership& ownership);

/// The step for one check of a file alone: for Action::change the one with its id, or without an id
/// the one of the same job and target. @return Error "unknown" with the place.
Result<Step> make_step(const DeclaredCheck& wanted, std::int64_t tenant, const KnownProbes& probes,
    const KnownChecks& checks, Action action);

/// The body of the call, with the probes that have been added meanwhile by name.
std::string body_of(const Step& step, const std::map<std::string, std::int64_t>& added);

/// A probe as it is to be: what the file leaves out stays as it is in `known`, which may be null
/// (spec 04 §2.7).
pb::Probe wanted_probe(const DeclaredProbe& declared, const pb::Probe* known);

/// A probe as `probe/add` and `probe/update` take it.
std::string probe_body(const pb::Probe& probe);

/// "LABEL=VALUE". @return Error "bad_value".
Result<pb::Label> parse_label(std::string_view text);

}  // namespace sonde::cli::ctl
