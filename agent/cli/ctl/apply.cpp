// `sonde ctl apply`: the API is made to agree with files.
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/ctl/plan.h"
#include "agent/cli/ctl/secret_file.h"
#include "agent/cli/ctl/session.h"
#include "agent/cli/ctl/table.h"
#include "agent/cli/render.h"
#include "config/agent_config.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>

namespace sonde::cli::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr int would_change = 3;

struct ApplyFlags {
    std::vector<std::string> paths;
    bool dry_run = false;
    std::string prune;  ///< empty, "owned" or "all"
    std::string owner;  ///< LABEL=VALUE
    std::string token_folder;
};

/// How a step ended.
struct Ending {
    enum class Kind { planned, done, failed, not_tried } kind = Kind::planned;
    std::string why;  ///< it failed
    std::int64_t id = 0;
    std::string note;  ///< what to do about a probe's token
};

std::string_view sort_of(const Step& step)
{
    return step.is_probe ? "probe" : "check";
}

std::string title_of(const Step& step, std::int64_t id)
{
    const std::string number = id == 0 ? "" : fmt::format("{} ", id);
    return fmt::format("{} {}{}", sort_of(step), number, printable(step.name));
}

std::string_view word_of(Action action)
{
    return action == Action::add ? "add" : action == Action::change ? "change" : "delete";
}

std::string_view past_of(Action action)
{
    return action == Action::add ? "added" : action == Action::change ? "changed" : "deleted";
}

/// The steps for people, a difference each: "~" and what changes, "+", "-".
std::string render_steps(const std::vector<Step>& steps, bool colour)
{
    std::string out;
    for (const Step& step : steps) {
        const char mark = step.action == Action::add      ? '+'
                          : step.action == Action::change ? '~'
                                                          : '-';
        const std::string line = fmt::format("{} {}", mark, title_of(step, step.id));
        const int number = mark == '+' ? 32 : mark == '~' ? 33 : 31;
        out += colour ? fmt::format("\x1b[{}m{}\x1b[0m\n", number, line) : line + '\n';
        for (const FieldChange& change : step.changes)
            out += step.action == Action::add
                       ? fmt::format("    {}: {}\n", change.path, change.after)
                       : fmt::format("    {}: {} → {}\n", change.path, change.before, change.after);
    }
    return out;
}

std::string summary_of(const Plan& plan)
{
    const auto count = [&](Action action) {
        return std::count_if(plan.steps.begin(), plan.steps.end(),
            [&](const Step& step) { return step.action == action; });
    };
    std::string out = plan.steps.empty()
                          ? "No changes"
                          : fmt::format("{} to add, {} to change, {} to delete", count(Action::add),
                                count(Action::change), count(Action::remove));
    out += fmt::format("; {} unchanged", plan.unchanged);
    if (plan.left_alone > 0)
        out += fmt::format("; {} in no file, left alone", plan.left_alone);
    return out + ".\n";
}

std::string render_json(const Plan& plan, const std::vector<Ending>& endings)
{
    static constexpr std::string_view names[] = {"planned", "done", "failed", "not_tried"};
    Json out{{"schema_version", 1}, {"changes", Json::array()}, {"unchanged", plan.unchanged},
        {"left_alone", plan.left_alone}};
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const Step& step = plan.steps[i];
        const Ending& ending = endings[i];
        Json one{{"action", word_of(step.action)}, {"sort", sort_of(step)}, {"id", ending.id},
            {"name", step.name}, {"fields", Json::array()},
            {"outcome", names[static_cast<int>(ending.kind)]}};
        for (const FieldChange& change : step.changes)
            one["fields"].push_back(
                {{"path", change.path}, {"old", change.before}, {"new", change.after}});
        if (!ending.why.empty())
            one["error"] = ending.why;
        else if (!ending.note.empty())
            one["note"] = ending.note;
        out["changes"].push_back(std::move(one));
    }
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

/// One run of the verb.
class Apply {
public:
    Apply(const ApplyFlags& flags, const Common& common, Client& client)
        : flags_{flags}, common_{common}, client_{client}
    {}

    int run(const Declared& declared, const Ownership& ownership)
    {
        const auto tenant = ask_tenant(client_);
        if (!tenant)
            return complain(tenant.error().message, failure);
        const auto probes = list_probes(client_);
        if (!probes)
            return complain(probes.error().message, failure);
        const auto checks = list_checks(client_);
        if (!checks)
            return complain(checks.error().message, failure);
        plan_ = make_plan(declared, tenant->id(), *probes, *checks, ownership);
        if (!plan_.problems.empty())
            return complain(plan_.problems);
        if (const auto refused = ask_first(); !refused.empty())
            return complain(refused);
        endings_.resize(plan_.steps.size());
        for (std::size_t i = 0; i < plan_.steps.size(); ++i)
            endings_[i].id = plan_.steps[i].id;
        if (!common_.json())
            print(render_steps(plan_.steps, Style::of_terminal(common_.no_colour).colour) +
                  summary_of(plan_));
        return flags_.dry_run || plan_.steps.empty() ? leave_it() : carry_out();
    }

private:
    int leave_it() const
    {
        if (common_.json())
            print(render_json(plan_, endings_));
        return plan_.steps.empty() ? success : would_change;
    }

    /// Has the API judge what would be sent, before anything is (spec 04 §4.6); one that cannot
    /// is believed to agree. @return problems.
    std::vector<std::string> ask_first()
    {
        std::vector<std::string> problems;
        for (const Step& step : plan_.steps) {
            if (step.is_probe || step.action == Action::remove || step.check.probes().empty())
                continue;
            const auto reply = client_.call("POST", "check/validate", body_of(step, {}));
            if (reply.status == 404 || reply.status == 405)
                break;
            if (!reply.ok() && reply.hopeless())
                return {reply.problem};
            if (!reply.ok() && reply.status != 409)  // limits may have room once others are gone
                problems.push_back(fmt::format("{}: {}", step.place, reply.problem));
        }
        return problems;
    }

    int carry_out()
    {
        bool hopeless = false;
        for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
            if (hopeless) {
                endings_[i].kind = Ending::Kind::not_tried;
            } else {
                const auto reply = carry_out(plan_.steps[i], endings_[i]);
                hopeless = reply.hopeless();
            }
            if (!common_.json())
                print(account_of(plan_.steps[i], endings_[i]));
        }
        if (common_.json())
            print(render_json(plan_, endings_));
        return close_account();
    }

    Reply carry_out(const Step& step, Ending& ending)
    {
        const std::string sort{sort_of(step)};
        Reply reply;
        std::optional<SecretFile> file;
        if (step.action == Action::remove) {
            reply = client_.call("DELETE", fmt::format("{}/delete/{}", sort, step.id));
        } else {
            if (step.is_probe && step.action == Action::add && !flags_.token_folder.empty()) {
                auto prepared = SecretFile::prepare(token_file(step.name));
                if (!prepared) {
                    ending.kind = Ending::Kind::failed;
                    ending.why = prepared.error().message;
                    return reply;
                }
                file.emplace(std::move(*prepared));
            }
            reply = client_.call("POST",
                fmt::format("{}/{}", sort, step.action == Action::add ? "add" : "update"),
                body_of(step, added_));
        }
        ending.kind = reply.ok() ? Ending::Kind::done : Ending::Kind::failed;
        ending.why = reply.problem;
        if (reply.perhaps_done)
            ending.why += "; it may have been done all the same";
        if (reply.ok() && step.action == Action::add)
            note_added(step, reply.body, file ? &*file : nullptr, ending);
        return reply;
    }

    /// What the API has made of something new: its id, and a probe's token, which is told but once.
    void note_added(const Step& step, const std::string& body, SecretFile* file, Ending& ending)
    {
        const Json answer = Json::parse(body, nullptr, false);
        const Json object = step.is_probe && answer.contains("probe") ? answer["probe"] : answer;
        if (object.is_object() && object.contains("id") && object["id"].is_number_integer())
            ending.id = object["id"].get<std::int64_t>();
        if (!step.is_probe)
            return;
        added_[step.name] = ending.id;
        const std::string reset = fmt::format("sonde ctl probe reset-token {}", ending.id);
        ending.note = "its token: " + reset;
        if (file == nullptr)
            return;
        const bool told = answer.contains("token") && answer["token"].is_string();
        const Result<> written = told ? file->write(answer["token"].get<std::string>())
                                      : error("no_token", "the API told no token");
        if (written) {
            ending.note = fmt::format("its token is in {}", token_file(step.name));
            return;
        }
        ending.kind = Ending::Kind::failed;
        ending.why = fmt::format("it was added, but its token is lost: {}; a new one: {}",
            written.error().message, reset);
    }

    /// Two names never make one file, and none a file outside the folder.
    std::string token_file(const std::string& probe) const
    {
        std::string name;
        for (const char c : probe) {
            const bool plain =
                std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
            name +=
                plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
        return (std::filesystem::path{flags_.token_folder} / (name + ".token")).string();
    }

    static std::string account_of(const Step& step, const Ending& ending)
    {
        const std::string title = title_of(step, ending.id);
        switch (ending.kind) {
        case Ending::Kind::done:
            return fmt::format("{} {}{}\n", past_of(step.action), title,
                ending.note.empty() ? "" : "; " + ending.note);
        case Ending::Kind::failed:
            return fmt::format("FAILED to {} {}: {}\n", word_of(step.action), title, ending.why);
        default:
            return fmt::format("not tried: {} {}\n", word_of(step.action), title);
        }
    }

    int close_account() const
    {
        const auto count = [&](Ending::Kind kind) {
            return std::count_if(endings_.begin(), endings_.end(),
                [&](const Ending& ending) { return ending.kind == kind; });
        };
        const auto failures = count(Ending::Kind::failed);
        if (failures == 0)
            return success;
        return complain(fmt::format("{} done, {} failed, {} not tried; what is done stays, and "
                                    "apply can be run again",
                            count(Ending::Kind::done), failures, count(Ending::Kind::not_tried)),
            failure);
    }

    const ApplyFlags& flags_;
    const Common& common_;
    Client& client_;
    Plan plan_;
    std::vector<Ending> endings_;                ///< of the steps of plan_
    std::map<std::string, std::int64_t> added_;  ///< probes by name
};

/// What may be deleted. @return Error "usage".
Result<Ownership> ownership_of(const ApplyFlags& flags)
{
    Ownership ownership;
    if (!flags.owner.empty()) {
        const auto label = parse_label(flags.owner);
        if (!label)
            return error("usage", "--owner: {}", label.error().message);
        ownership.owner = *label;
    }
    if (flags.prune == "all")
        ownership.prune = Ownership::Prune::all;
    else if (!flags.prune.empty())
        ownership.prune = Ownership::Prune::owned;
    if (ownership.prune == Ownership::Prune::owned && !ownership.owner)
        return error("usage", "--prune: whose? Give --owner LABEL=VALUE, or --prune=all for "
                              "everything of the tenant that is in no file");
    return ownership;
}

int run_apply(const ApplyFlags& flags, const Common& common)
{
    const auto ownership = ownership_of(flags);
    if (!ownership)
        return complain(ownership.error().message, usage);
    const auto declared = read_declared(flags.paths, config::process_environment());
    if (!declared.problems.empty())
        return complain(declared.problems);
    return with_client(common,
        [&](Client& client) { return Apply{flags, common, client}.run(declared, *ownership); });
}

}  // namespace

void add_apply_verb(CLI::App& ctl, Common& common, Verbs& verbs)
{
    const auto flags = std::make_shared<ApplyFlags>();
    CLI::App* verb = ctl.add_subcommand("apply", "Make checks and probes what files say");
    verb->add_option(
            "-f,--file", flags->paths, "File, or folder with *.yaml, *.yml, *.json; several, too")
        ->type_name("FILE")
        ->required()
        ->expected(1, CLI::detail::expected_max_vector_size)
        ->allow_extra_args(false);
    verb->add_flag("--dry-run", flags->dry_run, "Say what would be changed, and change nothing");
    verb->add_flag("--prune{owned}", flags->prune,
            "Delete what carries the label of --owner and is in no file; --prune=all: whatever is "
            "in no file")
        ->check(CLI::IsMember({"owned", "all"}));
    verb->add_option("--owner", flags->owner,
            "Label that each declared check carries, and that --prune goes by")
        ->type_name("LABEL=VALUE");
    verb->add_option("--token-dir", flags->token_folder,
            "Folder for the tokens of new probes, NAME.token each")
        ->type_name("DIR");
    add_common_flags(*verb, common);
    verb->footer("Exit status: 0 done, or nothing to do; 1 something failed; 2 the command or a "
                 "file is wrong,\nnothing was changed; 3 with --dry-run: there would be changes.");
    verbs.push_back({verb, [flags, &common] { return run_apply(*flags, common); }});
}

}  // namespace sonde::cli::ctl
