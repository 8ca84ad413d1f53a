#pragma once

#include "agent/base/error.h"
#include "agent/cli/ctl/client.h"
#include "config/schema.h"

#include <string>
#include <string_view>
#include <vector>

namespace sonde::cli::ctl {

/// A probe that the API has.
struct KnownProbe {
    pb::Probe probe;
    std::string json;  ///< as the API printed it
};

/// A check that the API has.
struct KnownCheck {
    pb::Check check;
    std::string folder_uid;  ///< which no Check message holds (spec 04 §2.8)
    std::string json;
};

using KnownProbes = std::vector<KnownProbe>;
using KnownChecks = std::vector<KnownCheck>;

/// Bodies of `probe/list` and `check/list`. @return Error "bad_json", "bad_value".
Result<KnownProbes> read_probes(std::string_view body);
Result<KnownChecks> read_checks(std::string_view body);
Result<KnownCheck> read_check(std::string_view body);

/// The lists as the API has them now. @return Error "api" that says why not.
Result<KnownProbes> list_probes(Client& client);
Result<KnownChecks> list_checks(Client& client);
/// The tenant of the token.
Result<pb::Tenant> ask_tenant(Client& client);

/// What a person calls a check: "job/target".
std::string name_of(const pb::Check& check);

/// By id, which digits alone are, or by name. @return Error "unknown" with the nearest name.
Result<const KnownProbe*> find_probe(const KnownProbes& probes, std::string_view named);
/// By id, by "job/target", or by job where just one check has it. @return Error "unknown", or
/// "ambiguous" with the ids.
Result<const KnownCheck*> find_check(const KnownChecks& checks, std::string_view named);

/// Settings of the same kind that say nothing.
pb::CheckSettings usual_settings(const pb::CheckSettings& settings);

/// Whether it is digits alone.
bool is_id(std::string_view named);
/// "mine", or the id where nobody knows the name.
std::string probe_name(const KnownProbes& probes, std::int64_t id);

}  // namespace sonde::cli::ctl
