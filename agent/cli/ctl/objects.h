#pragma once

#include "agent/cli/ctl/files.h"
#include "agent/cli/ctl/inventory.h"
#include "agent/cli/ctl/session.h"

#include <functional>
#include <string>
#include <vector>

namespace sonde::cli::ctl {

// What the verbs for checks and for probes have in common.

/// Deletes what each of `named` means, whatever becomes of the others.
/// @param sort "check" or "probe". @param id_of finds the id for a name.
int delete_each(const Common& common, Client& client, std::string_view sort,
    const std::vector<std::string>& named,
    const std::function<Result<std::int64_t>(const std::string&)>& id_of);

/// "web=1, team=shop"
template <class Labelled>
std::string labels_text(const Labelled& labelled)
{
    std::string out;
    for (const auto& label : labelled.labels())
        out += fmt::format("{}{}={}", out.empty() ? "" : ", ", label.name(), label.value());
    return out;
}

/// "2026-11-28 17:41:51Z" of Unix seconds.
std::string time_text(double seconds);

/// A member of a JSON object that is text; empty: there is none.
std::string text_member(std::string_view json, std::string_view name);

/// Makes sure that the token can be kept, calls the API, keeps the token.
/// @param member what the API calls it. @param token_out a file; empty: it is shown, once.
int call_for_token(const Common& common, const std::function<Reply()>& call,
    std::string_view member, const std::string& token_out,
    const std::function<std::string(const std::string& body)>& show);

}  // namespace sonde::cli::ctl
