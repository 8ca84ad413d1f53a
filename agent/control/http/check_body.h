#pragma once

#include "agent/control/http/judgement_for.h"
#include "agent/control/store/checks.h"

#include <set>
#include <string>
#include <string_view>

namespace sonde::control {

// Checks as they come and go over HTTP, and what decides whether they are stored.

inline constexpr std::string_view invalid_check = "Invalid incoming check";

std::string json_of(const store::StoredCheck& stored);

/// A check that is to be added. @return Error "bad_json" or "bad_value".
Result<store::StoredCheck> read_new_check(std::string_view body);

/// A check that is to take the place of the one with its id. Of two spellings of a member that
/// differ the one that is not stored counts (spec 04 §2.9).
Result<store::StoredCheck> read_update(Transaction& db, std::int64_t tenant, std::string_view body);

/// What the checks of the caller's tenant must be like. Looks up once what is the same for all
/// checks of a transaction.
class CheckAdmission {
public:
    /// Both outlive it.
    CheckAdmission(const Call& call, Transaction& db);

    /// Content, then probes (spec 04 §1.9, steps 11 and 12); fills in what the API fills in.
    /// @return Error "invalid" or "probes".
    Result<> judge(store::StoredCheck& stored) const;

    /// Whether there may be one more. @return Error "quota".
    Result<> has_room() const;

private:
    Result<> probes_usable(const pb::Check& check) const;

    const Call& call_;
    Transaction& db_;
    rules::Judgement judgement_;
    std::set<std::int64_t> probes_;  // that the tenant may use
};

/// An update up to the point of saving it (spec 04 §1.9, steps 6 to 12).
Result<store::CheckUpdate> admit_update(
    const Call& call, Transaction& db, const CheckAdmission& admission, std::string_view body);

}  // namespace sonde::control
