#pragma once

#include "agent/cli/ctl/client.h"
#include "agent/cli/ctl/connection.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace sonde::cli::ctl {

/// What all verbs of `sonde ctl` are given.
struct Common {
    ConnectionFlags connection;
    std::string output = "table";  ///< or "json"
    bool no_colour = false;

    bool json() const { return output == "json"; }
};

/// A verb and what carries it out. @return the exit status.
struct Verb {
    CLI::App* app;
    std::function<int()> run;
};
using Verbs = std::vector<Verb>;

/// Adds `-o`, `--no-color` and the way to the API.
void add_common_flags(CLI::App& verb, Common& common);

// Each adds its verbs below `ctl`, with their flags, and says what carries them out. `common`
// outlives the verbs.
void add_check_verbs(CLI::App& ctl, Common& common, Verbs& verbs);
void add_probe_verbs(CLI::App& ctl, Common& common, Verbs& verbs);
void add_account_verbs(CLI::App& ctl, Common& common, Verbs& verbs);  ///< token, tenant, register
void add_adhoc_verb(CLI::App& ctl, Common& common, Verbs& verbs);
void add_apply_verb(CLI::App& ctl, Common& common, Verbs& verbs);

/// "sonde ctl: what" to standard error. @return `status`.
int complain(std::string_view what, int status);
/// All of them. @return usage.
int complain(const std::vector<std::string>& problems);

/// Finds the connection and hands it to `use`; or says what is missing, usage. A failure of ours
/// is said, too.
int with_client(const Common& common, const std::function<int(Client&)>& use);

/// What a call came to: its body as it is, with `-o json`, or what `show` makes of it.
/// @return success, or failure after its problem was said.
int finish(const Common& common, const Reply& reply,
    const std::function<std::string(const std::string& body)>& show);

/// Columns that a table may have: those of the terminal; 0 without one.
std::size_t table_width();

void print(std::string_view text);

}  // namespace sonde::cli::ctl
