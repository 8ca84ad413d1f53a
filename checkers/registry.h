#pragma once

#include "checkers/check.h"

namespace sonde::checkers {

/// The kinds this agent can run.
std::span<const Kind* const> all_kinds();
const Kind* find_kind(std::string_view name);  ///< null: unknown

/// The kind whose settings `wire` carries.
/// @return Error "unknown_kind" when there is none, "bad_value" when there is more than one.
Result<const Kind*> kind_of(const pb::CheckSettings& wire);

/// The name of the settings that are set, also of kinds this agent cannot run; empty: none.
std::string_view settings_name(const pb::CheckSettings& wire);

/// A check ready to run.
struct Prepared {
    const Kind* kind;  ///< null when the settings name no kind of ours
    std::unique_ptr<const Checker> checker;
};

/// A checker for `check`, always: with settings that cannot be used, every run fails and says why.
Prepared make(const pb::Check& check);

/// The same judgement in advance, for whoever may still refuse the check: all that is wrong with
/// it, each with the path of its field; empty: it can run.
std::vector<Error> validate(const pb::Check& check);

}  // namespace sonde::checkers
