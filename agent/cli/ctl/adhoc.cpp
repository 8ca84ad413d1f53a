// `sonde ctl adhoc`: a check that probes run once, now.
#include "agent/base/text.h"
#include "agent/cli/check_flags.h"
#include "agent/cli/check_request.h"
#include "agent/cli/check_settings.h"
#include "agent/cli/cli.h"
#include "agent/cli/ctl/adhoc_result.h"
#include "agent/cli/ctl/fields.h"
#include "agent/cli/ctl/inventory.h"
#include "agent/cli/ctl/objects.h"
#include "agent/cli/ctl/session.h"
#include "agent/cli/ctl/table.h"
#include "checkers/registry.h"
#include "config/agent_config.h"
#include "config/json.h"
#include "config/reading.h"
#include "config/values.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

namespace sonde::cli::ctl {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

constexpr int no_result = 3;
constexpr auto between_queries = 1s;
/// A clock of ours that goes ahead of the probe's must not hide the result.
constexpr auto before_start = 10min;

struct AdhocFlags {
    CheckOptions check;
    std::string bearer_token_file;
    std::vector<std::string> probes;
    std::string logs_url;
    std::string logs_user;
    std::string logs_password_file;
    std::string wait = "30s";  ///< beyond the check's timeout
};

struct Wanted {
    pb::Check check;
    milliseconds wait{};
    config::Secret logs_password;
};

/// What flags say of settings: those of `sonde check`, which `read_settings` merges.
void add_own_settings(AdhocFlags& flags, std::vector<std::string>& problems)
{
    CheckOptions& check = flags.check;
    const bool any = check.only_v4 || check.only_v6 || !flags.bearer_token_file.empty();
    if (any && !check.flags)
        check.flags = std::make_shared<nlohmann::json>(nlohmann::json::object());
    if (check.only_v4 && check.only_v6)
        problems.emplace_back("-4 and -6 exclude each other");
    if (check.only_v4 || check.only_v6)
        (*check.flags)["ipVersion"] = check.only_v4 ? "V4" : "V6";
    if (flags.bearer_token_file.empty())
        return;
    if (check.kind != "http")
        problems.emplace_back("--bearer-token-file: is for http");
    const auto token = config::read_whole(flags.bearer_token_file);
    if (!token)
        problems.push_back("--bearer-token-file: " + token.error().message);
    else if (!text::is_utf8(*token) || text::trim(*token).empty())
        problems.emplace_back("--bearer-token-file: is empty, or not UTF-8");
    else
        (*check.flags)["bearerToken"] = std::string{text::trim(*token)};
}

void read_duration(std::string_view flag, const std::string& given, milliseconds& into,
    std::vector<std::string>& problems)
{
    if (given.empty())
        return;
    const auto value = config::parse_duration(given);
    if (value)
        into = *value;
    else
        problems.push_back(fmt::format("{}: {}", flag, value.error().message));
}

/// @return all that is wrong with the command.
std::vector<std::string> read(AdhocFlags flags, Wanted& wanted)
{
    std::vector<std::string> problems = flags.check.problems;
    for (std::string& problem : flags_of_other_kinds(flags.check))
        problems.push_back(std::move(problem));
    add_own_settings(flags, problems);
    milliseconds timeout = 3s;
    read_duration("--timeout", flags.check.timeout, timeout, problems);
    read_duration("--wait", flags.wait, wanted.wait, problems);
    wanted.wait += timeout;
    pb::Check& check = wanted.check;
    check.set_target(flags.check.target);
    check.set_timeout(timeout.count());
    check.set_frequency(std::max<std::int64_t>(timeout.count(), 60'000));
    check.set_job("ad hoc");
    if (const auto settings = read_settings(flags.check.settings, flags.check.kind,
            flags.check.flags.get(), *check.mutable_settings());
        !settings)
        problems.push_back(settings.error().message);
    if (check.settings().has_dns() && check.settings().dns().server().empty())
        problems.emplace_back("--server: is required: probes elsewhere do not know ours");
    if (problems.empty())
        for (const Error& problem : checkers::validate(check))
            problems.push_back(problem.message);
    if (flags.logs_url.empty() && !(flags.logs_user + flags.logs_password_file).empty())
        problems.emplace_back("--logs-user and --logs-password-file: go with --logs-url");
    if (!flags.logs_password_file.empty()) {
        auto password = config::read_whole(flags.logs_password_file);
        if (password)
            wanted.logs_password = config::Secret{std::string{text::trim(*password)}};
        else
            problems.push_back("--logs-password-file: " + password.error().message);
    }
    return problems;
}

std::string body_of(const pb::Check& check)
{
    const Json whole = Json::parse(config::write_json(check));
    Json body;
    for (const char* member : {"target", "timeout", "settings", "probes"})
        body[member] = whole.at(member);
    return body.dump();
}

/// One ad-hoc check, and what comes of it.
class AdhocCheck {
public:
    AdhocCheck(const AdhocFlags& flags, const Common& common, Client& client, Wanted wanted)
        : flags_{flags}, common_{common}, client_{client}, wanted_{std::move(wanted)}
    {}

    int run()
    {
        const auto probes = list_probes(client_);
        if (!probes)
            return complain(probes.error().message, failure);
        if (const auto problems = choose(*probes); !problems.empty())
            return complain(problems);
        const auto began = std::chrono::system_clock::now();
        const auto reply = client_.call("POST", "check/adhoc", body_of(wanted_.check));
        const int asked = finish(
            common_, reply, [](const std::string& body) { return text_member(body, "id") + '\n'; });
        const std::string id = text_member(reply.body, "id");
        if (asked != success || flags_.logs_url.empty())
            return asked;
        if (id.empty())
            return complain("POST check/adhoc: the answer has no id", failure);
        return follow(id, began - before_start);
    }

private:
    /// Whom to ask, and of whom an answer can be hoped for.
    std::vector<std::string> choose(const KnownProbes& probes)
    {
        std::vector<std::string> problems;
        for (const std::string& named : flags_.probes) {
            const auto known = find_probe(probes, named);
            if (!known) {
                problems.push_back("--probe: " + known.error().message);
                continue;
            }
            const pb::Probe& probe = (*known)->probe;
            wanted_.check.add_probes(probe.id());
            if (probe.online())
                waiting_.push_back(probe.name());
            else
                offline_.push_back(probe.name());
        }
        for (const std::string& name : offline_)
            complain(printable(name) + " is not online: the API passes it over (warning)", success);
        return problems;
    }

    int follow(const std::string& id, std::chrono::system_clock::time_point since)
    {
        const auto until = std::chrono::steady_clock::now() + wanted_.wait;
        while (!waiting_.empty()) {
            const auto came = ask(id, since);
            if (!came)
                return complain(came.error().message, failure);
            if (waiting_.empty() || std::chrono::steady_clock::now() >= until)
                break;
            client_.wait(between_queries);
        }
        for (const std::string& name : waiting_)
            complain(fmt::format("no result of {} came in time", printable(name)), failure);
        if (failed_)
            return failure;
        return waiting_.empty() && offline_.empty() ? success : no_result;
    }

    /// Shows what is new in the log store.
    Result<> ask(const std::string& id, std::chrono::system_clock::time_point since)
    {
        using std::chrono::nanoseconds;
        const auto ns = [](std::chrono::system_clock::time_point time) {
            return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
        };
        net::HttpCall call;
        call.method = "GET";
        call.url = query_url(
            flags_.logs_url, id, ns(since), ns(std::chrono::system_clock::now() + before_start));
        call.username = flags_.logs_user;
        call.password = wanted_.logs_password.reveal();
        const auto answer = client_.send(call);
        if (answer.status == 0)
            return error("logs", "{}: {}", hide_user(flags_.logs_url), answer.error);
        if (answer.status != 200)
            return error("logs", "{}: {} {}", hide_user(flags_.logs_url), answer.status,
                printable(text::shorten(text::trim(answer.body), 200)));
        const auto results = read_results(answer.body, id);
        if (!results)
            return error("logs", "{}: {}", hide_user(flags_.logs_url), results.error().message);
        for (const AdhocResult& result : *results)
            show(result);
        return {};
    }

    void show(const AdhocResult& result)
    {
        const auto found = std::find(waiting_.begin(), waiting_.end(), result.probe);
        if (found == waiting_.end())
            return;
        waiting_.erase(found);
        failed_ = failed_ || !result.passed;
        print(common_.json() ? result.json + '\n' : render_result(result));
    }

    const AdhocFlags& flags_;
    const Common& common_;
    Client& client_;
    Wanted wanted_;
    std::vector<std::string> waiting_;  ///< names of probes without a result
    std::vector<std::string> offline_;
    bool failed_ = false;
};

int run_adhoc(const AdhocFlags& flags, const Common& common)
{
    Wanted wanted;
    if (const auto problems = read(flags, wanted); !problems.empty())
        return complain(problems);
    return with_client(common,
        [&](Client& client) { return AdhocCheck{flags, common, client, std::move(wanted)}.run(); });
}

/// `--token-file` of `sonde check` would be mistaken for that of the API, and the API's token be
/// sent to the target: here it has another name.
void add_settings_flags(CLI::App& verb, AdhocFlags& flags)
{
    std::vector<std::string> kinds;
    for (const checkers::Kind* kind : checkers::all_kinds())
        kinds.emplace_back(kind->name);
    verb.add_option("KIND", flags.check.kind, fmt::format("{}", fmt::join(kinds, ", ")))
        ->required()
        ->check(CLI::IsMember(kinds));
    verb.add_option("TARGET", flags.check.target, "What to check, as in a check of the API")
        ->required();
    verb.add_option("--settings", flags.check.settings, "Settings of the kind as JSON, or @FILE");
    verb.add_option("--timeout", flags.check.timeout, "Longest time to take (default 3s)");
    verb.add_flag("-4", flags.check.only_v4, "Only IPv4");
    verb.add_flag("-6", flags.check.only_v6, "Only IPv6");
    add_kind_flags(verb, flags.check);
    verb.remove_option(verb.get_option("--token-file"));
    verb.add_option("--bearer-token-file", flags.bearer_token_file,
            "File with the bearer token to send to the target")
        ->type_name("FILE")
        ->group("Of http");
}

}  // namespace

void add_adhoc_verb(CLI::App& ctl, Common& common, Verbs& verbs)
{
    const auto flags = std::make_shared<AdhocFlags>();
    CLI::App* verb = ctl.add_subcommand("adhoc", "Have probes run a check once, now");
    add_settings_flags(*verb, *flags);
    verb->add_option("--probe", flags->probes, "Name or id of a probe; several, too")
        ->required()
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args(false);
    verb->add_option("--logs-url", flags->logs_url,
        "The tenant's Loki, https://loki.example.org: wait there for the results");
    verb->add_option("--logs-user", flags->logs_user, "User there");
    verb->add_option("--logs-password-file", flags->logs_password_file, "File with the password")
        ->type_name("FILE");
    verb->add_option("--wait", flags->wait, "How long beyond --timeout to wait for them")
        ->capture_default_str();
    add_common_flags(*verb, common);
    verb->footer("Exit status: 0 asked, with --logs-url: all passed; 1 one failed, or the API "
                 "does;\n2 the command is wrong; 3 none failed, but a result did not come.");
    verbs.push_back({verb, [flags, &common] { return run_adhoc(*flags, common); }});
}

}  // namespace sonde::cli::ctl
