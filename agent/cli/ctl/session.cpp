#include "agent/cli/ctl/session.h"

#include "agent/cli/cli.h"
#include "agent/cli/render.h"
#include "config/agent_config.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdio>
#include <exception>

namespace sonde::cli::ctl {

void add_common_flags(CLI::App& verb, Common& common)
{
    verb.add_option("-o,--output", common.output, "A table, or the API's own JSON")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    verb.add_flag_callback("--json", [&common] { common.output = "json"; }, "The same as -o json");
    verb.add_flag("--no-color", common.no_colour, "No colour, as with NO_COLOR in the environment");
    add_connection_flags(verb, common.connection);
}

int complain(std::string_view what, int status)
{
    fmt::print(stderr, "sonde ctl: {}\n", what);
    return status;
}

int complain(const std::vector<std::string>& problems)
{
    for (const std::string& problem : problems)
        complain(problem, usage);
    return usage;
}

int with_client(const Common& common, const std::function<int(Client&)>& use)
try {
    auto found = find_connection(common.connection, config::process_environment());
    for (const std::string& warning : found.warnings)
        complain(warning + " (warning)", success);
    if (!found.problems.empty())
        return complain(found.problems);
    Client client{std::move(found.connection)};
    return use(client);
} catch (const std::exception& failed) {
    return complain(failed.what(), failure);
}

int finish(const Common& common, const Reply& reply,
    const std::function<std::string(const std::string& body)>& show)
{
    if (!reply.ok())
        return complain(reply.problem, failure);
    print(common.json() ? reply.body + '\n' : show(reply.body));
    return success;
}

std::size_t table_width()
{
    return ::isatty(STDOUT_FILENO) == 0
               ? 0
               : static_cast<std::size_t>(Style::of_terminal(true).columns);
}

void print(std::string_view text)
{
    fmt::print("{}", text);
    std::fflush(stdout);
}

}  // namespace sonde::cli::ctl
