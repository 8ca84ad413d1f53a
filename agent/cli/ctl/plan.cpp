#include "agent/cli/ctl/plan.h"

#include "agent/cli/ctl/table.h"
#include "config/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace sonde::cli::ctl {
namespace {

constexpr std::int32_t default_dns_port = 53;
constexpr std::array<std::string_view, 11> not_wanted{"id", "tenantId", "public", "online",
    "onlineChange", "version", "commit", "buildstamp", "created", "modified", "k6Versions"};

template <class Labelled>
bool carries(const Labelled& labelled, const pb::Label& label)
{
    return std::any_of(
        labelled.labels().begin(), labelled.labels().end(), [&](const pb::Label& own) {
            return own.name() == label.name() && own.value() == label.value();
        });
}

using Identity = std::pair<std::string_view, std::string_view>;

Identity identity(const pb::Check& check)
{
    return {check.job(), check.target()};
}

/// A check as the API will keep it (spec 04 §2.8, §2.9), without what differs for no reason of
/// ours.
pb::Check comparable(pb::Check check)
{
    check.clear_id();
    check.clear_tenantid();
    check.clear_created();
    check.clear_modified();
    check.clear_probes();
    if (check.alertsensitivity().empty())
        check.set_alertsensitivity("none");
    if (check.settings().has_dns() && check.settings().dns().port() == 0)
        check.mutable_settings()->mutable_dns()->set_port(default_dns_port);
    return check;
}

pb::Probe comparable(pb::Probe probe)
{
    pb::Probe kept;
    kept.set_name(probe.name());
    kept.set_region(probe.region());
    kept.set_latitude(probe.latitude());
    kept.set_longitude(probe.longitude());
    kept.set_deprecated(probe.deprecated());
    kept.mutable_labels()->Swap(probe.mutable_labels());
    kept.mutable_capabilities()->set_disablescriptedchecks(
        probe.capabilities().disablescriptedchecks());
    kept.mutable_capabilities()->set_disablebrowserchecks(
        probe.capabilities().disablebrowserchecks());
    return kept;
}

std::string list_of(std::vector<std::string> names)
{
    std::sort(names.begin(), names.end());
    std::string all;
    for (const std::string& name : names)
        all += (all.empty() ? "" : ", ") + printable(name);
    return all;
}

/// An entry of a check's `probes` as an id. @return its name; Error "unknown".
Result<std::string> add_probe(const std::string& named, const KnownProbes& probes, pb::Check& check)
{
    const auto found = find_probe(probes, named);
    if (!found)
        return found.error();
    auto& ids = *check.mutable_probes();
    const std::int64_t id = (*found)->probe.id();
    if (std::find(ids.begin(), ids.end(), id) == ids.end())
        ids.Add(id);
    return (*found)->probe.name();
}

/// Makes `step` an update of `known`, with what the file says nothing of as it is.
void update_of(const KnownCheck& known, const DeclaredCheck& wanted, Step& step)
{
    step.action = Action::change;
    step.id = known.check.id();
    step.check.set_id(step.id);
    step.folder_uid = wanted.folder_uid.value_or(known.folder_uid);
    if (!step.check.has_channels() && known.check.has_channels())
        *step.check.mutable_channels() = known.check.channels();
}

Step step_of(const DeclaredCheck& wanted, std::int64_t tenant)
{
    Step step;
    step.name = name_of(wanted.check);
    step.place = wanted.place;
    step.check = wanted.check;
    step.check.clear_id();
    step.check.set_tenantid(tenant);
    step.folder_uid = wanted.folder_uid.value_or("");
    return step;
}

/// What there is to say of a new check besides its name.
std::vector<FieldChange> all_of(const pb::Check& check, const HiddenPaths& hidden)
{
    pb::Check usual;
    usual.set_job(check.job());
    usual.set_target(check.target());
    *usual.mutable_settings() = usual_settings(check.settings());
    return changes_between(
        {}, telling(fields_of(comparable(check), hidden), fields_of(comparable(usual))));
}

/// What the plan is being made of, and the plan.
class Planner {
public:
    Planner(const Declared& declared, std::int64_t tenant, const KnownProbes& probes,
        const KnownChecks& checks, const Ownership& ownership)
        : declared_{declared}, tenant_{tenant}, probes_{probes}, checks_{checks},
          ownership_{ownership}
    {
        for (const KnownCheck& known : checks)
            known_.emplace(identity(known.check), &known);
        for (const DeclaredCheck& wanted : declared.checks)
            wanted_.insert(identity(wanted.check));
    }

    Plan make()
    {
        for (const DeclaredProbe& wanted : declared_.probes)
            plan_probe(wanted);
        for (const DeclaredCheck& wanted : declared_.checks)
            plan_check(wanted);
        prune_checks();
        prune_probes();
        if (!plan_.problems.empty())
            return std::move(plan_);
        for (auto* steps :
            {&probe_puts_, &check_changes_, &check_removals_, &check_adds_, &probe_removals_})
            std::move(steps->begin(), steps->end(), std::back_inserter(plan_.steps));
        return std::move(plan_);
    }

private:
    template <class... Args>
    void problem(const std::string& place, fmt::format_string<Args...> what, Args&&... args)
    {
        plan_.problems.push_back(
            fmt::format("{}: {}", place, fmt::format(what, std::forward<Args>(args)...)));
    }

    /// Of this tenant, or of everybody: whatever has the name.
    const KnownProbe* probe_named(std::string_view name) const
    {
        const auto found = std::find_if(probes_.begin(), probes_.end(),
            [&](const KnownProbe& known) { return known.probe.name() == name; });
        return found == probes_.end() ? nullptr : &*found;
    }

    bool is_declared_probe(std::string_view name) const
    {
        return std::any_of(declared_.probes.begin(), declared_.probes.end(),
            [&](const DeclaredProbe& wanted) { return wanted.probe.name() == name; });
    }

    void plan_probe(const DeclaredProbe& wanted)
    {
        const std::string& name = wanted.probe.name();
        const KnownProbe* known = probe_named(name);
        if (known != nullptr && known->probe.tenantid() != tenant_)
            return problem(
                wanted.place, "name: {} is a public probe: choose another name", printable(name));
        Step step;
        step.is_probe = true;
        step.name = name;
        step.place = wanted.place;
        step.probe = wanted_probe(wanted, known == nullptr ? nullptr : &known->probe);
        const auto after = fields_of(comparable(step.probe), wanted.hidden);
        if (known == nullptr) {
            pb::Probe usual;
            usual.set_name(name);
            step.changes = changes_between({}, telling(after, fields_of(comparable(usual))));
            probe_puts_.push_back(std::move(step));
            return;
        }
        step.action = Action::change;
        step.id = known->probe.id();
        step.changes = changes_between(fields_of(comparable(known->probe), wanted.hidden), after);
        put(std::move(step), probe_puts_);
    }

    void plan_check(const DeclaredCheck& wanted)
    {
        if (ownership_.owner && !carries(wanted.check, *ownership_.owner))
            return problem(wanted.place, "labels: {}={} is missing, which --owner wants",
                printable(ownership_.owner->name()), printable(ownership_.owner->value()));
        Step step = step_of(wanted, tenant_);
        std::vector<std::string> names;
        for (const std::string& named : wanted.probes)
            resolve(named, wanted.place, step, names);
        const auto known = known_.find(identity(wanted.check));
        if (known == known_.end()) {
            step.changes = all_of(step.check, wanted.hidden);
            step.changes.push_back({"probes", "(none)", list_of(names)});
            check_adds_.push_back(std::move(step));
            return;
        }
        change_check(wanted, *known->second, names, std::move(step));
    }

    void change_check(const DeclaredCheck& wanted, const KnownCheck& known,
        const std::vector<std::string>& names, Step step)
    {
        update_of(known, wanted, step);
        step.changes = changes_between(fields_of(comparable(known.check), wanted.hidden),
            fields_of(comparable(step.check), wanted.hidden));
        std::vector<std::string> before;
        for (const std::int64_t id : known.check.probes())
            before.push_back(probe_name(probes_, id));
        if (list_of(before) != list_of(names))
            step.changes.push_back({"probes", list_of(before), list_of(names)});
        if (step.folder_uid != known.folder_uid)
            step.changes.push_back(
                {"folderUid", printable(known.folder_uid), printable(step.folder_uid)});
        put(std::move(step), check_changes_);
    }

    /// One entry of a check's `probes`.
    void resolve(const std::string& named, const std::string& place, Step& step,
        std::vector<std::string>& names)
    {
        const auto known = add_probe(named, probes_, step.check);
        const std::string& name = known ? *known : named;
        if (!known && !is_declared_probe(named))
            return problem(place, "probes: {}", known.error().message);
        if (std::find(names.begin(), names.end(), name) != names.end())
            return;
        names.push_back(name);
        if (!known)
            step.coming.push_back(name);
    }

    void put(Step step, std::vector<Step>& steps)
    {
        if (step.changes.empty())
            ++plan_.unchanged;
        else
            steps.push_back(std::move(step));
    }

    template <class Object>
    bool may_go(const Object& object, bool files_speak_of_it) const
    {
        using Prune = Ownership::Prune;
        if (!files_speak_of_it || ownership_.prune == Prune::nothing)
            return false;
        return ownership_.prune == Prune::all ||
               (ownership_.owner && carries(object, *ownership_.owner));
    }

    void prune_checks()
    {
        for (const KnownCheck& known : checks_) {
            if (wanted_.contains(identity(known.check)))
                continue;
            if (may_go(known.check, declared_.speaks_of_checks))
                check_removals_.push_back(removal(known.check.id(), name_of(known.check), false));
            else if (declared_.speaks_of_checks)
                ++plan_.left_alone;
        }
    }

    void prune_probes()
    {
        for (const KnownProbe& known : probes_) {
            if (known.probe.tenantid() != tenant_ || is_declared_probe(known.probe.name()))
                continue;
            if (may_go(known.probe, declared_.speaks_of_probes))
                probe_removals_.push_back(removal(known.probe.id(), known.probe.name(), true));
            else if (declared_.speaks_of_probes)
                ++plan_.left_alone;
        }
    }

    static Step removal(std::int64_t id, std::string name, bool is_probe)
    {
        Step step;
        step.action = Action::remove;
        step.is_probe = is_probe;
        step.id = id;
        step.name = std::move(name);
        return step;
    }

    const Declared& declared_;
    std::int64_t tenant_;
    const KnownProbes& probes_;
    const KnownChecks& checks_;
    const Ownership& ownership_;
    std::map<Identity, const KnownCheck*> known_;
    std::set<Identity> wanted_;
    Plan plan_;
    std::vector<Step> probe_puts_;
    std::vector<Step> check_changes_;
    std::vector<Step> check_removals_;
    std::vector<Step> check_adds_;
    std::vector<Step> probe_removals_;
};

}  // namespace

Plan make_plan(const Declared& declared, std::int64_t tenant, const KnownProbes& probes,
    const KnownChecks& checks, const Ownership& ownership)
{
    return Planner{declared, tenant, probes, checks, ownership}.make();
}

Result<Step> make_step(const DeclaredCheck& wanted, std::int64_t tenant, const KnownProbes& probes,
    const KnownChecks& checks, Action action)
{
    Step step = step_of(wanted, tenant);
    for (const std::string& named : wanted.probes)
        if (const auto known = add_probe(named, probes, step.check); !known)
            return error("unknown", "{}: probes: {}", wanted.place, known.error().message);
    if (action == Action::add)
        return step;
    const std::int64_t id = wanted.check.id();
    for (const KnownCheck& known : checks)
        if (id != 0 ? known.check.id() == id : identity(known.check) == identity(wanted.check)) {
            update_of(known, wanted, step);
            return step;
        }
    return error("unknown", "{}: there is no check {} to update", wanted.place,
        id != 0 ? std::to_string(id) : printable(step.name));
}

std::string body_of(const Step& step, const std::map<std::string, std::int64_t>& added)
{
    if (step.is_probe)
        return probe_body(step.probe);
    pb::Check check = step.check;
    for (const std::string& name : step.coming)
        if (const auto id = added.find(name); id != added.end())
            check.add_probes(id->second);
    auto json = nlohmann::ordered_json::parse(config::write_json(check));
    if (!step.folder_uid.empty())
        json["folderUid"] = step.folder_uid;
    return json.dump();
}

pb::Probe wanted_probe(const DeclaredProbe& declared, const pb::Probe* known)
{
    pb::Probe probe;
    if (known != nullptr) {
        probe.set_deprecated(known->deprecated());
        *probe.mutable_capabilities() = known->capabilities();
        probe.set_id(known->id());
        probe.set_tenantid(known->tenantid());
    }
    // It has been judged when the file was read.
    static_cast<void>(config::read_json(declared.json, probe, {.ignored = not_wanted}));
    return probe;
}

std::string probe_body(const pb::Probe& probe)
{
    auto json = nlohmann::ordered_json::parse(config::write_json(probe));
    if (!probe.has_capabilities())  // which the API then chooses, or leaves
        json.erase("capabilities");
    return json.dump();
}

Result<pb::Label> parse_label(std::string_view text)
{
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
        return error("bad_value", "\"{}\" is not LABEL=VALUE", printable(text));
    pb::Label label;
    label.set_name(std::string{text.substr(0, equals)});
    label.set_value(std::string{text.substr(equals + 1)});
    return label;
}

}  // namespace sonde::cli::ctl
