#include "agent/cli/ctl/inventory.h"

#include "agent/base/text.h"
#include "agent/cli/ctl/table.h"
#include "config/json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace sonde::cli::ctl {
namespace {

using Json = nlohmann::json;

Error no_such(std::string_view what, std::string_view named, std::vector<std::string_view> known)
{
    const auto meant = text::nearest(named, known);
    const std::string hint =
        meant.empty() ? "" : fmt::format("; did you mean {}?", printable(meant));
    return error("unknown", "there is no {} {}{}", what, printable(named), hint);
}

template <class Known, class Read>
Result<std::vector<Known>> read_list(std::string_view body, Read read)
{
    const auto elements = config::split_json_list(body);
    if (!elements)
        return elements.error();
    std::vector<Known> all;
    for (const std::string& element : *elements) {
        auto one = read(element);
        if (!one)
            return one.error();
        all.push_back(std::move(*one));
    }
    return all;
}

Result<KnownProbe> read_probe(const std::string& body)
{
    auto probe = config::from_json<pb::Probe>(body);
    if (!probe)
        return probe.error();
    return KnownProbe{std::move(*probe), body};
}

template <class T, class Read>
Result<T> ask(Client& client, std::string_view resource, Read read)
{
    const auto reply = client.call("GET", resource);
    if (!reply.ok())
        return Error{"api", reply.problem};
    auto value = read(reply.body);
    if (!value)
        return error("api", "GET {}: {}", resource, value.error().message);
    return value;
}

}  // namespace

Result<KnownCheck> read_check(std::string_view body)
{
    auto check = config::from_json<pb::Check>(body);
    if (!check)
        return check.error();
    KnownCheck known{std::move(*check), {}, std::string{body}};
    const Json json = Json::parse(body);
    if (const auto folder = json.find("folderUid"); folder != json.end() && folder->is_string())
        known.folder_uid = folder->get<std::string>();
    return known;
}

Result<KnownProbes> read_probes(std::string_view body)
{
    return read_list<KnownProbe>(body, read_probe);
}

Result<KnownChecks> read_checks(std::string_view body)
{
    return read_list<KnownCheck>(body, read_check);
}

Result<KnownProbes> list_probes(Client& client)
{
    return ask<KnownProbes>(client, "probe/list", read_probes);
}

Result<KnownChecks> list_checks(Client& client)
{
    return ask<KnownChecks>(client, "check/list", read_checks);
}

Result<pb::Tenant> ask_tenant(Client& client)
{
    return ask<pb::Tenant>(client, "tenant",
        [](std::string_view body) { return config::from_json<pb::Tenant>(body); });
}

std::string name_of(const pb::Check& check)
{
    return check.job() + '/' + check.target();
}

pb::CheckSettings usual_settings(const pb::CheckSettings& settings)
{
    pb::CheckSettings usual;
    const auto& type = *settings.GetDescriptor();
    for (int i = 0; i < type.field_count(); ++i)
        if (settings.GetReflection()->HasField(settings, type.field(i)))
            static_cast<void>(usual.GetReflection()->MutableMessage(&usual, type.field(i)));
    return usual;
}

bool is_id(std::string_view named)
{
    return !named.empty() &&
           std::all_of(named.begin(), named.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<const KnownProbe*> find_probe(const KnownProbes& probes, std::string_view named)
{
    std::vector<std::string_view> names;
    for (const KnownProbe& known : probes) {
        if (is_id(named) ? std::to_string(known.probe.id()) == named : known.probe.name() == named)
            return &known;
        names.emplace_back(known.probe.name());
    }
    return no_such("probe", named, std::move(names));
}

Result<const KnownCheck*> find_check(const KnownChecks& checks, std::string_view named)
{
    std::vector<const KnownCheck*> same_job;
    std::vector<std::string> names;
    for (const KnownCheck& known : checks) {
        const std::string name = name_of(known.check);
        if (is_id(named) ? std::to_string(known.check.id()) == named : name == named)
            return &known;
        if (known.check.job() == named)
            same_job.push_back(&known);
        names.push_back(name);
    }
    if (same_job.size() == 1 && !is_id(named))
        return same_job.front();
    if (same_job.empty() || is_id(named))
        return no_such("check", named, {names.begin(), names.end()});
    std::string ids;
    for (const KnownCheck* one : same_job)
        ids += fmt::format("{}{}", ids.empty() ? "" : ", ", one->check.id());
    return error("ambiguous", "several checks have the job {}: give the id, one of {}",
        printable(named), ids);
}

std::string probe_name(const KnownProbes& probes, std::int64_t id)
{
    for (const KnownProbe& known : probes)
        if (known.probe.id() == id)
            return known.probe.name();
    return std::to_string(id);
}

}  // namespace sonde::cli::ctl
