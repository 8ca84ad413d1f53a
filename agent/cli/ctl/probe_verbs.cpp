// `sonde ctl probe`
#include "agent/cli/cli.h"
#include "agent/cli/ctl/objects.h"
#include "agent/cli/ctl/plan.h"
#include "agent/cli/ctl/table.h"
#include "config/agent_config.h"
#include "config/json.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>
#include <optional>

namespace sonde::cli::ctl {
namespace {

struct ProbeFlags {
    std::vector<std::string> named;
    std::string file;  ///< instead of the others
    std::optional<std::string> name;
    std::optional<std::string> region;
    std::optional<float> latitude;
    std::optional<float> longitude;
    std::vector<std::string> labels;
    std::string token_out;

    bool any() const { return name || region || latitude || longitude || !labels.empty(); }
};

std::string place_text(const pb::Probe& probe)
{
    return probe.latitude() == 0 && probe.longitude() == 0
               ? ""
               : fmt::format("{}, {}", probe.latitude(), probe.longitude());
}

std::string state_text(const pb::Probe& probe)
{
    return fmt::format(
        "{}{}", probe.online() ? "online" : "offline", probe.deprecated() ? ", deprecated" : "");
}

std::string render_list(const KnownProbes& probes)
{
    Table table{{{"ID", true}, {"NAME", false, true}, {"REGION", false, true}, {"STATE"}, {"WHOSE"},
        {"VERSION", false, true}, {"LABELS", false, true}}};
    for (const auto& [probe, json] : probes)
        table.add({std::to_string(probe.id()), probe.name(), probe.region(), state_text(probe),
            probe.public_() ? "public" : "own", probe.version(), labels_text(probe)});
    return table.text(table_width());
}

std::string render_one(const pb::Probe& probe)
{
    Sheet sheet;
    sheet.add("id", std::to_string(probe.id()));
    sheet.add("name", probe.name());
    sheet.add("region", probe.region());
    sheet.add("place", place_text(probe));
    sheet.add("labels", labels_text(probe));
    sheet.add("state", state_text(probe));
    sheet.add("since", time_text(probe.onlinechange()));
    sheet.add("whose", probe.public_() ? "public" : "own");
    sheet.add("version", probe.version());
    sheet.add("created", time_text(probe.created()));
    sheet.add("modified", time_text(probe.modified()));
    return sheet.text();
}

int list(const Common& common, Client& client)
{
    const auto reply = client.call("GET", "probe/list");
    if (!reply.ok() || common.json())
        return finish(common, reply, {});
    const auto probes = read_probes(reply.body);
    if (!probes)
        return complain("GET probe/list: " + probes.error().message, failure);
    print(render_list(*probes));
    return success;
}

Result<KnownProbe> look_up(Client& client, const std::string& named)
{
    const auto probes = list_probes(client);
    if (!probes)
        return probes.error();
    const auto found = find_probe(*probes, named);
    if (!found)
        return found.error();
    return **found;
}

/// A public probe of somebody else is in the list only (spec 04 §4.1), so it is shown from there.
int get(const Common& common, Client& client, const std::string& named)
{
    const auto known = look_up(client, named);
    if (!known)
        return complain(known.error().message, failure);
    print(common.json() ? known->json + '\n' : render_one(known->probe));
    return success;
}

/// What the flags say, over what `probe` has. @return Error "usage".
Result<> put_flags(const ProbeFlags& flags, pb::Probe& probe)
{
    if (flags.name)
        probe.set_name(*flags.name);
    if (flags.region)
        probe.set_region(*flags.region);
    if (flags.latitude)
        probe.set_latitude(*flags.latitude);
    if (flags.longitude)
        probe.set_longitude(*flags.longitude);
    if (!flags.labels.empty())
        probe.clear_labels();
    for (const std::string& text : flags.labels) {
        const auto label = parse_label(text);
        if (!label)
            return error("usage", "--label: {}", label.error().message);
        *probe.add_labels() = *label;
    }
    return {};
}

/// The one probe of a file. @return problems, or one probe.
std::vector<std::string> read_file(const std::string& file, DeclaredProbe& into)
{
    auto declared = read_declared({file}, config::process_environment(), Contents::probes);
    if (declared.problems.empty() && (declared.probes.size() != 1 || !declared.checks.empty()))
        declared.problems.push_back(
            fmt::format("{}: must hold one probe; apply takes any number", file));
    if (declared.problems.empty())
        into = std::move(declared.probes.front());
    return std::move(declared.problems);
}

/// "added probe 7 mine", and the token where one came that nobody has yet.
std::string said(std::string_view what, const std::string& body, const std::string& token_out)
{
    const auto json = nlohmann::ordered_json::parse(body, nullptr, false);
    const auto probe = json.is_object() && json.contains("probe")
                           ? config::from_json<pb::Probe>(json["probe"].dump())
                           : Result<pb::Probe>{pb::Probe{}};
    std::string out = fmt::format(
        "{} probe {} {}\n", what, probe ? probe->id() : 0, probe ? printable(probe->name()) : "");
    if (!text_member(body, "token").empty())
        out += token_out.empty() ? fmt::format("token {}\n", text_member(body, "token"))
                                 : fmt::format("its token is in {}\n", token_out);
    return out;
}

int send(const Common& common, Client& client, const ProbeFlags& flags, const std::string& resource,
    const pb::Probe& probe, std::string_view what)
{
    return call_for_token(
        common, [&] { return client.call("POST", resource, probe_body(probe)); }, "token",
        flags.token_out,
        [&](const std::string& body) { return said(what, body, flags.token_out); });
}

int add(const Common& common, const ProbeFlags& flags)
{
    DeclaredProbe declared;
    if (flags.file.empty() == !flags.any())
        return complain("probe add: give either -f FILE or --name and other flags", usage);
    if (!flags.file.empty()) {
        if (const auto problems = read_file(flags.file, declared); !problems.empty())
            return complain(problems);
    } else if (const auto put = put_flags(flags, declared.probe); !put) {
        return complain(put.error().message, usage);
    } else if (declared.probe.name().empty()) {
        return complain("probe add: --name is required", usage);
    }
    return with_client(common, [&](Client& client) {
        return send(common, client, flags, "probe/add", declared.probe, "added");
    });
}

int update(const Common& common, const ProbeFlags& flags)
{
    DeclaredProbe declared;
    if (flags.file.empty() == !flags.any())
        return complain("probe update: give either -f FILE or flags with what to change", usage);
    if (!flags.file.empty())
        if (const auto problems = read_file(flags.file, declared); !problems.empty())
            return complain(problems);
    std::string named = flags.named.empty() ? "" : flags.named.front();
    if (named.empty())
        named =
            declared.probe.id() != 0 ? std::to_string(declared.probe.id()) : declared.probe.name();
    if (named.empty())
        return complain("probe update: which one? Give its name or id", usage);
    return with_client(common, [&](Client& client) {
        const auto known = look_up(client, named);
        if (!known)
            return complain(known.error().message, failure);
        pb::Probe probe = flags.file.empty() ? known->probe : wanted_probe(declared, &known->probe);
        if (const auto put = put_flags(flags, probe); !put)
            return complain(put.error().message, usage);
        return send(common, client, flags, "probe/update", probe, "changed");
    });
}

int reset_token(const Common& common, const ProbeFlags& flags)
{
    return with_client(common, [&](Client& client) {
        const auto known = look_up(client, flags.named.front());
        if (!known)
            return complain(known.error().message, failure);
        return send(
            common, client, flags, "probe/update?reset-token", known->probe, "reset the token of");
    });
}

void add_probe_flags(CLI::App& verb, ProbeFlags& flags)
{
    verb.add_option("-f,--file", flags.file, "File with one probe; - for stdin")->type_name("FILE");
    verb.add_option("--name", flags.name, "Its name");
    verb.add_option("--region", flags.region, "Its region");
    verb.add_option("--latitude", flags.latitude, "Where it stands, -90 to 90");
    verb.add_option("--longitude", flags.longitude, "Where it stands, -180 to 180");
    verb.add_option("--label", flags.labels, "A label; several, too")
        ->type_name("NAME=VALUE")
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args(false);
}

void add_token_flag(CLI::App& verb, ProbeFlags& flags)
{
    verb.add_option(
            "--token-out", flags.token_out, "File for the probe's new token, instead of showing it")
        ->type_name("FILE");
}

int remove(const Common& common, Client& client, const std::vector<std::string>& named)
{
    return delete_each(
        common, client, "probe", named, [&](const std::string& one) -> Result<std::int64_t> {
            if (is_id(one))
                return std::int64_t{std::strtoll(one.c_str(), nullptr, 10)};
            const auto known = look_up(client, one);
            if (!known)
                return known.error();
            return known->probe.id();
        });
}

/// The verbs that only look, or take away.
void add_plain_verbs(
    CLI::App& probe, Common& common, Verbs& verbs, const std::shared_ptr<ProbeFlags>& flags)
{
    CLI::App* all = probe.add_subcommand("list", "List the probes");
    CLI::App* one = probe.add_subcommand("get", "Show one probe");
    CLI::App* gone = probe.add_subcommand("delete", "Delete probes that no check names any more");
    one->add_option("PROBE", flags->named, "Its name or id")->required()->expected(1);
    gone->add_option("PROBES", flags->named, "Names or ids")->required();
    for (CLI::App* verb : {all, one, gone})
        add_common_flags(*verb, common);
    verbs.push_back({all, [&common] {
                         return with_client(
                             common, [&](Client& client) { return list(common, client); });
                     }});
    verbs.push_back({one, [flags, &common] {
                         return with_client(common, [&](Client& client) {
                             return get(common, client, flags->named.front());
                         });
                     }});
    verbs.push_back({gone, [flags, &common] {
                         return with_client(common,
                             [&](Client& client) { return remove(common, client, flags->named); });
                     }});
}

}  // namespace

void add_probe_verbs(CLI::App& ctl, Common& common, Verbs& verbs)
{
    CLI::App* probe = ctl.add_subcommand("probe", "Probes of the tenant, and public ones");
    probe->require_subcommand(1);
    const auto flags = std::make_shared<ProbeFlags>();
    add_plain_verbs(*probe, common, verbs, flags);
    CLI::App* fresh = probe->add_subcommand("add", "Add a probe");
    CLI::App* changed =
        probe->add_subcommand("update", "Change a probe; a file replaces all of it");
    CLI::App* reset =
        probe->add_subcommand("reset-token", "Give a probe a new token; the old one is void");
    changed->add_option("PROBE", flags->named, "Its name or id; else the file says")->expected(1);
    reset->add_option("PROBE", flags->named, "Its name or id")->required()->expected(1);
    for (CLI::App* verb : {fresh, changed})
        add_probe_flags(*verb, *flags);
    for (CLI::App* verb : {fresh, reset})
        add_token_flag(*verb, *flags);
    for (CLI::App* verb : {fresh, changed, reset})
        add_common_flags(*verb, common);
    verbs.push_back({fresh, [flags, &common] { return add(common, *flags); }});
    verbs.push_back({changed, [flags, &common] { return update(common, *flags); }});
    verbs.push_back({reset, [flags, &common] { return reset_token(common, *flags); }});
}

}  // namespace sonde::cli::ctl
