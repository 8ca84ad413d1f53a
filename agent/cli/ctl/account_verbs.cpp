// `sonde ctl token`, `tenant` and `register`.
#include "agent/cli/cli.h"
#include "agent/cli/ctl/fields.h"
#include "agent/cli/ctl/objects.h"
#include "agent/cli/ctl/table.h"
#include "config/agent_config.h"
#include "config/json.h"
#include "config/reading.h"
#include "config/yaml_json.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <memory>

namespace sonde::cli::ctl {
namespace {

using Json = nlohmann::ordered_json;

struct AccountFlags {
    std::string token_out;
    std::string file;
    std::string status;  ///< "active" or "disabled"
    std::string reason;
    std::int64_t stack = 0;
    std::int64_t metrics = 0;
    std::int64_t logs = 0;
};

std::string said(const std::string& body)
{
    return printable(text_member(body, "msg")) + '\n';
}

/// The token alone: `$(sonde ctl token create)` is it.
int new_token(const Common& common, const AccountFlags& flags, std::string_view resource)
{
    return with_client(common, [&](Client& client) {
        return call_for_token(
            common, [&] { return client.call("POST", resource); }, "accessToken", flags.token_out,
            [&](const std::string& body) {
                return flags.token_out.empty() ? text_member(body, "accessToken") + '\n'
                                               : said(body);
            });
    });
}

int call(const Common& common, std::string_view method, std::string_view resource)
{
    return with_client(common,
        [&](Client& client) { return finish(common, client.call(method, resource), said); });
}

std::string remote_text(const pb::RemoteInfo& remote)
{
    return remote.url().empty() ? ""
                                : fmt::format("{}{}{}", remote.url(),
                                      remote.username().empty() ? "" : " as ", remote.username());
}

std::string render_tenant(const std::string& body)
{
    const auto tenant = config::from_json<pb::Tenant>(body);
    if (!tenant)
        return tenant.error().message + '\n';
    static constexpr std::string_view modes[] = {"prefixed", "dual write", "unprefixed"};
    Sheet sheet;
    sheet.add("id", std::to_string(tenant->id()));
    sheet.add("organisation", std::to_string(tenant->orgid()));
    sheet.add("stack", std::to_string(tenant->stackid()));
    sheet.add("status",
        tenant->status() == pb::ACTIVE ? "active" : fmt::format("disabled: {}", tenant->reason()));
    sheet.add("metrics", remote_text(tenant->metricsremote()));
    sheet.add("logs", remote_text(tenant->eventsremote()));
    if (pb::LabelMode_IsValid(tenant->label_mode()))
        sheet.add("labels", modes[tenant->label_mode()]);
    if (tenant->has_limits())
        for (const Field& field : fields_of(tenant->limits()))
            sheet.add(field.path, field.shown);
    sheet.add("created", time_text(tenant->created()));
    sheet.add("modified", time_text(tenant->modified()));
    return sheet.text();
}

/// Whatever the API has to say, member by member.
std::string render_object(const std::string& body)
{
    const Json object = Json::parse(body, nullptr, false);
    Sheet sheet;
    for (const auto& [name, value] : object.items())
        sheet.add(name, value.is_string() ? value.get<std::string>() : value.dump());
    return sheet.text();
}

/// The file's object in the API's own form. @return problems.
std::vector<std::string> read_tenant(const std::string& file, Json& into)
{
    config::Reading reading{
        file == "-" ? "/dev/stdin" : file, {}, config::process_environment(), {}};
    if (const auto root = reading.load()) {
        if (root->IsMap())
            into = Json::parse(config::yaml_to_json(*root, reading, "", nullptr));
        else
            reading.problem(*root, "", "must be a mapping such as {metricsRemote: {...}}");
    }
    return std::move(reading.problems);
}

int update_tenant(const Common& common, const AccountFlags& flags)
{
    if (flags.file.empty() && flags.status.empty())
        return complain("tenant update: give -f FILE, --status, or both", usage);
    if (!flags.reason.empty() && flags.status.empty())
        return complain("--reason: goes with --status", usage);
    Json body = Json::object();
    if (!flags.file.empty())
        if (const auto problems = read_tenant(flags.file, body); !problems.empty())
            return complain(problems);
    if (!flags.status.empty())
        body["status"] = {{"code", flags.status == "active" ? 0 : 1}, {"reason", flags.reason}};
    return with_client(common, [&](Client& client) {
        if (!body.contains("id")) {
            const auto tenant = ask_tenant(client);
            if (!tenant)
                return complain(tenant.error().message, failure);
            body["id"] = tenant->id();
        }
        return finish(common, client.call("POST", "tenant/update", body.dump()), said);
    });
}

std::string render_installed(const std::string& body, const std::string& token_out)
{
    const Json answer = Json::parse(body, nullptr, false);
    const auto text = [&](const char* pointer) {
        const Json::json_pointer where{pointer};
        if (!answer.contains(where))
            return std::string{};
        const Json& value = answer.at(where);
        return value.is_string() ? value.get<std::string>() : value.dump();
    };
    Sheet sheet;
    sheet.add("tenant", text("/tenantInfo/id"));
    sheet.add("metrics", text("/tenantInfo/metricInstance/url"));
    sheet.add("logs", text("/tenantInfo/logInstance/url"));
    sheet.add("token", token_out.empty() ? text("/accessToken") : "in " + token_out);
    return sheet.text();
}

int install(const Common& common, const AccountFlags& flags)
{
    const Json body{{"stackId", flags.stack}, {"metricsInstanceId", flags.metrics},
        {"logsInstanceId", flags.logs}};
    return with_client(common, [&](Client& client) {
        return call_for_token(
            common, [&] { return client.call("POST", "register/install", body.dump()); },
            "accessToken", flags.token_out,
            [&](const std::string& answer) { return render_installed(answer, flags.token_out); });
    });
}

void add_token_out(CLI::App& verb, AccountFlags& flags)
{
    verb.add_option("--token-out", flags.token_out,
            "File for the token, instead of showing it; may be that of --token-file")
        ->type_name("FILE");
}

void add_token_verbs(
    CLI::App& ctl, Common& common, Verbs& verbs, const std::shared_ptr<AccountFlags>& flags)
{
    CLI::App* token = ctl.add_subcommand("token", "Access tokens");
    token->require_subcommand(1);
    CLI::App* create = token->add_subcommand("create", "Make another token of the tenant");
    CLI::App* refresh =
        token->add_subcommand("refresh", "Make a new token; the one that asks is void");
    CLI::App* validate = token->add_subcommand("validate", "Whether the token is valid");
    CLI::App* remove = token->add_subcommand("delete", "Delete the token that asks");
    for (CLI::App* verb : {create, refresh})
        add_token_out(*verb, *flags);
    for (CLI::App* verb : {create, refresh, validate, remove})
        add_common_flags(*verb, common);
    verbs.push_back(
        {create, [flags, &common] { return new_token(common, *flags, "token/create"); }});
    verbs.push_back(
        {refresh, [flags, &common] { return new_token(common, *flags, "token/refresh"); }});
    verbs.push_back({validate, [&common] { return call(common, "POST", "token/validate"); }});
    verbs.push_back({remove, [&common] { return call(common, "DELETE", "token/delete"); }});
}

void add_tenant_verbs(
    CLI::App& ctl, Common& common, Verbs& verbs, const std::shared_ptr<AccountFlags>& flags)
{
    CLI::App* tenant = ctl.add_subcommand("tenant", "The tenant of the token");
    tenant->require_subcommand(1);
    CLI::App* get = tenant->add_subcommand("get", "Show it");
    CLI::App* limits = tenant->add_subcommand("limits", "How much it may have");
    CLI::App* update = tenant->add_subcommand("update", "Change remotes or status");
    update
        ->add_option("-f,--file", flags->file,
            "File with metricsRemote, eventsRemote, status; a password as \"${NAME}\"")
        ->type_name("FILE");
    update->add_option("--status", flags->status, "active, or disabled: no check runs")
        ->check(CLI::IsMember({"active", "disabled"}));
    update->add_option("--reason", flags->reason, "Why, for people");
    for (CLI::App* verb : {get, limits, update})
        add_common_flags(*verb, common);
    const auto show = [&common](std::string_view resource, auto render) {
        return with_client(common,
            [&](Client& client) { return finish(common, client.call("GET", resource), render); });
    };
    verbs.push_back({get, [show] { return show("tenant", render_tenant); }});
    verbs.push_back({limits, [show] { return show("tenant/limits", render_object); }});
    verbs.push_back({update, [flags, &common] { return update_tenant(common, *flags); }});
}

}  // namespace

void add_account_verbs(CLI::App& ctl, Common& common, Verbs& verbs)
{
    const auto flags = std::make_shared<AccountFlags>();
    add_token_verbs(ctl, common, verbs, flags);
    add_tenant_verbs(ctl, common, verbs, flags);
    CLI::App* registering = ctl.add_subcommand("register", "Tenants of stacks");
    registering->require_subcommand(1);
    CLI::App* verb = registering->add_subcommand(
        "install", "Make the tenant of a stack, or refresh it; the token is a publisher token");
    verb->add_option("--stack", flags->stack, "Id of the stack")->required();
    verb->add_option("--metrics", flags->metrics, "Id of its metrics instance")->required();
    verb->add_option("--logs", flags->logs, "Id of its logs instance")->required();
    add_token_out(*verb, *flags);
    add_common_flags(*verb, common);
    verbs.push_back({verb, [flags, &common] { return install(common, *flags); }});
}

}  // namespace sonde::cli::ctl
