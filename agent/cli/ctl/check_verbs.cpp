// `sonde ctl check`
#include "agent/cli/cli.h"
#include "agent/cli/ctl/fields.h"
#include "agent/cli/ctl/objects.h"
#include "agent/cli/ctl/plan.h"
#include "agent/cli/ctl/table.h"
#include "checkers/registry.h"
#include "config/agent_config.h"
#include "config/values.h"

#include <CLI/CLI.hpp>

#include <memory>

namespace sonde::cli::ctl {
namespace {

struct CheckFlags {
    std::vector<std::string> named;
    std::string file;
};

std::string duration_text(std::int64_t ms)
{
    return config::print_duration(std::chrono::milliseconds{ms});
}

std::string probes_text(const pb::Check& check, const KnownProbes& probes)
{
    std::string out;
    for (const std::int64_t id : check.probes())
        out += fmt::format("{}{}", out.empty() ? "" : ", ", probe_name(probes, id));
    return out;
}

std::string render_list(const KnownChecks& checks)
{
    Table table{{{"ID", true}, {"JOB", false, true}, {"TARGET", false, true}, {"KIND"},
        {"EVERY", true}, {"TIMEOUT", true}, {"STATE"}, {"PROBES", true}}};
    for (const auto& [check, folder, json] : checks)
        table.add({std::to_string(check.id()), check.job(), check.target(),
            std::string{checkers::settings_name(check.settings())},
            duration_text(check.frequency()), duration_text(check.timeout()),
            check.enabled() ? "on" : "off", std::to_string(check.probes_size())});
    return table.text(table_width());
}

std::string render_one(const KnownCheck& known, const KnownProbes& probes)
{
    const pb::Check& check = known.check;
    Sheet sheet;
    sheet.add("id", std::to_string(check.id()));
    sheet.add("job", check.job());
    sheet.add("target", check.target());
    sheet.add("state", check.enabled() ? "on" : "off");
    sheet.add("every", duration_text(check.frequency()));
    sheet.add("timeout", duration_text(check.timeout()));
    sheet.add("series", check.basicmetricsonly() ? "basic" : "full");
    sheet.add("alerts", check.alertsensitivity());
    sheet.add("labels", labels_text(check));
    sheet.add("probes", probes_text(check, probes));
    if (!known.folder_uid.empty())
        sheet.add("folder", known.folder_uid);
    sheet.add("created", time_text(check.created()));
    sheet.add("modified", time_text(check.modified()));
    sheet.add("kind", checkers::settings_name(check.settings()));
    for (const Field& field :
        telling(fields_of(check.settings()), fields_of(usual_settings(check.settings()))))
        sheet.add(field.path, field.shown);
    return sheet.text();
}

int list(const Common& common, Client& client)
{
    const auto reply = client.call("GET", "check/list");
    if (!reply.ok() || common.json())
        return finish(common, reply, {});
    const auto checks = read_checks(reply.body);
    if (!checks)
        return complain("GET check/list: " + checks.error().message, failure);
    print(render_list(*checks));
    return success;
}

/// Names cost a look at the list; digits are the id.
Result<std::int64_t> id_of(Client& client, const std::string& named)
{
    if (is_id(named))
        return std::int64_t{std::strtoll(named.c_str(), nullptr, 10)};
    const auto checks = list_checks(client);
    if (!checks)
        return checks.error();
    const auto found = find_check(*checks, named);
    if (!found)
        return found.error();
    return (*found)->check.id();
}

int get(const Common& common, Client& client, const std::string& named)
{
    const auto id = id_of(client, named);
    if (!id)
        return complain(id.error().message, failure);
    const auto reply = client.call("GET", fmt::format("check/{}", *id));
    if (!reply.ok() || common.json())
        return finish(common, reply, {});
    const auto check = read_check(reply.body);
    if (!check)
        return complain(fmt::format("GET check/{}: {}", *id, check.error().message), failure);
    const auto probes = list_probes(client);
    if (!probes)
        return complain(probes.error().message, failure);
    print(render_one(*check, *probes));
    return success;
}

/// All that is to be sent. @param problems of the file. @return Error "api".
Result<std::vector<Step>> make_steps(
    Client& client, const Declared& declared, Action action, std::vector<std::string>& problems)
{
    const auto tenant = ask_tenant(client);
    if (!tenant)
        return tenant.error();
    const auto probes = list_probes(client);
    if (!probes)
        return probes.error();
    const auto checks =
        action == Action::add ? Result<KnownChecks>{KnownChecks{}} : list_checks(client);
    if (!checks)
        return checks.error();
    std::vector<Step> steps;
    for (const DeclaredCheck& wanted : declared.checks) {
        auto step = make_step(wanted, tenant->id(), *probes, *checks, action);
        if (step)
            steps.push_back(std::move(*step));
        else
            problems.push_back(step.error().message);
    }
    return steps;
}

/// Sends each check of the file, which has been judged as a whole before.
int put(const Common& common, Client& client, const Declared& declared, Action action)
{
    std::vector<std::string> problems;
    const auto steps = make_steps(client, declared, action, problems);
    if (!steps)
        return complain(steps.error().message, failure);
    if (!problems.empty())
        return complain(problems);
    int status = success;
    for (const Step& step : *steps) {
        const auto reply = client.call(
            "POST", action == Action::add ? "check/add" : "check/update", body_of(step, {}));
        const int ended = finish(common, reply, [&](const std::string& body) {
            const auto saved = read_check(body);
            return fmt::format("{} check {} {}\n", action == Action::add ? "added" : "changed",
                saved ? saved->check.id() : step.id, printable(step.name));
        });
        status = ended == success ? status : ended;
        if (reply.hopeless())
            break;
    }
    return status;
}

int put_file(const Common& common, const std::string& file, Action action)
{
    const auto declared = read_declared({file}, config::process_environment());
    if (!declared.problems.empty())
        return complain(declared.problems);
    if (!declared.probes.empty() || declared.checks.empty())
        return complain(fmt::format("{}: holds {}", file,
                            declared.checks.empty() ? "no check" : "probes, too: apply takes both"),
            usage);
    return with_client(
        common, [&](Client& client) { return put(common, client, declared, action); });
}

void add_file_verb(CLI::App& check, Common& common, Verbs& verbs, Action action)
{
    const auto flags = std::make_shared<CheckFlags>();
    const bool adds = action == Action::add;
    CLI::App* verb = check.add_subcommand(adds ? "add" : "update",
        adds ? "Add the checks of a file" : "Replace checks, which id or job and target name");
    verb->add_option("-f,--file", flags->file, "File with a check or a list of them; - for stdin")
        ->type_name("FILE")
        ->required();
    add_common_flags(*verb, common);
    verbs.push_back(
        {verb, [flags, &common, action] { return put_file(common, flags->file, action); }});
}

}  // namespace

void add_check_verbs(CLI::App& ctl, Common& common, Verbs& verbs)
{
    CLI::App* check = ctl.add_subcommand("check", "Checks of the tenant");
    check->require_subcommand(1);
    const auto flags = std::make_shared<CheckFlags>();

    CLI::App* all = check->add_subcommand("list", "List the checks");
    add_common_flags(*all, common);
    verbs.push_back({all, [&common] {
                         return with_client(
                             common, [&](Client& client) { return list(common, client); });
                     }});

    CLI::App* one = check->add_subcommand("get", "Show one check");
    one->add_option("CHECK", flags->named, "Its id, JOB/TARGET, or JOB where it is the only one")
        ->required()
        ->expected(1);
    add_common_flags(*one, common);
    verbs.push_back({one, [flags, &common] {
                         return with_client(common, [&](Client& client) {
                             return get(common, client, flags->named.front());
                         });
                     }});

    for (const Action action : {Action::add, Action::change})
        add_file_verb(*check, common, verbs, action);

    CLI::App* gone = check->add_subcommand("delete", "Delete checks");
    gone->add_option("CHECKS", flags->named, "Ids, or JOB/TARGET")->required();
    add_common_flags(*gone, common);
    verbs.push_back({gone, [flags, &common] {
                         return with_client(common, [&](Client& client) {
                             return delete_each(common, client, "check", flags->named,
                                 [&](const std::string& named) { return id_of(client, named); });
                         });
                     }});
}

}  // namespace sonde::cli::ctl
