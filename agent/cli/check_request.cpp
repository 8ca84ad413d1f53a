#include "agent/cli/check_request.h"

#include "agent/cli/check_flags.h"
#include "agent/cli/check_settings.h"
#include "checkers/registry.h"
#include "config/judge_check.h"
#include "config/values.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace sonde::cli {
namespace {

using namespace std::chrono_literals;
using Problems = std::vector<std::string>;

void read_duration(std::string_view flag, const std::string& text, std::chrono::milliseconds least,
    std::chrono::milliseconds most, std::optional<std::chrono::milliseconds>& into,
    Problems& problems)
{
    if (text.empty())
        return;
    const auto value = config::parse_duration(text);
    if (value && *value >= least && *value <= most)
        into = *value;
    else
        problems.push_back(fmt::format("{}: \"{}\" is not a duration from {} to {}", flag, text,
            least == 1ms ? "1ms" : "0s", most == 1min ? "1m" : "24h"));
}

/// -4 and -6 are the setting `ipVersion` of whatever kind.
void choose_family(const CheckOptions& options, pb::CheckSettings& settings)
{
    if (!options.only_v4 && !options.only_v6)
        return;
    const std::string kind{checkers::settings_name(settings)};
    const auto* field = settings.GetDescriptor()->FindFieldByName(kind);
    if (field == nullptr)
        return;
    auto& own = *settings.GetReflection()->MutableMessage(&settings, field);
    if (const auto* version = own.GetDescriptor()->FindFieldByName("ipVersion"))
        own.GetReflection()->SetEnumValue(&own, version, options.only_v4 ? pb::V4 : pb::V6);
}

/// The server that this host asks first; empty: it has none.
std::string own_server()
{
    std::ifstream file{"/etc/resolv.conf"};
    for (std::string word, value; file >> word;)
        if (word == "nameserver" && file >> value)
            return value.substr(0, value.find('%'));
    return {};
}

/// The one check that kind, target, settings and flags make.
void read_one(const CheckOptions& options, std::chrono::milliseconds timeout, CheckRequest& request,
    Problems& problems)
{
    for (std::string& problem : flags_of_other_kinds(options))
        problems.push_back(std::move(problem));
    pb::Check check;
    check.set_id(1);
    check.set_tenantid(1);
    check.set_job("sonde check");
    check.set_enabled(true);
    check.set_target(options.target);
    check.set_frequency(60000);
    check.set_timeout(timeout.count());
    check.set_basicmetricsonly(options.basic);
    if (const auto read = read_settings(
            options.settings, options.kind, options.flags.get(), *check.mutable_settings());
        !read)
        problems.push_back(read.error().message);
    choose_family(options, *check.mutable_settings());
    if (check.settings().has_dns() && check.settings().dns().server().empty())
        check.mutable_settings()->mutable_dns()->set_server(own_server());
    if (!problems.empty())
        return;
    for (const Error& problem : checkers::validate(check))
        problems.push_back(problem.message);
    request.checks.push_back(std::move(check));
}

void read_file(const CheckOptions& options, std::optional<std::chrono::milliseconds> timeout,
    CheckRequest& request, Problems& problems)
{
    if (!options.kind.empty() || options.flags || !options.settings.empty())
        problems.emplace_back("-f: a file has its own kind, target and settings; leave the others");
    auto loaded =
        config::load_checks_file(options.file, config::process_environment(), checkers::validate);
    for (std::string& problem : loaded.problems)
        problems.push_back(std::move(problem));
    for (pb::Check& check : loaded.checks)
        if (options.only.empty() || check.job() == options.only) {
            choose_family(options, *check.mutable_settings());
            if (options.basic)
                check.set_basicmetricsonly(true);
            if (timeout)
                check.set_timeout(timeout->count());
            request.checks.push_back(std::move(check));
        }
    if (problems.empty() && request.checks.empty())
        problems.push_back(options.only.empty()
                               ? fmt::format("{}: no check in it is enabled", options.file)
                               : fmt::format("--only: {} has no enabled check of job \"{}\"",
                                     options.file, options.only));
}

}  // namespace

std::vector<std::string> read_request(const CheckOptions& options, CheckRequest& request)
{
    Problems problems = options.problems;
    std::optional<std::chrono::milliseconds> timeout;
    std::optional<std::chrono::milliseconds> interval = 1s;
    read_duration("--timeout", options.timeout, 1ms, 1min, timeout, problems);
    read_duration("--interval", options.interval, 0ms, 24h, interval, problems);
    read_duration("--warn", options.warn, 0ms, 24h, request.limits.warn, problems);
    read_duration("--crit", options.crit, 0ms, 24h, request.limits.crit, problems);
    request.interval = interval.value_or(1s);
    if (request.limits.warn && request.limits.crit && *request.limits.warn > *request.limits.crit)
        problems.emplace_back("--warn: must not be longer than --crit");
    if (options.only_v4 && options.only_v6)
        problems.emplace_back("-4 and -6 exclude each other");
    if (options.count < 0)
        problems.emplace_back("--count: must not be negative");
    if (!options.only.empty() && options.file.empty())
        problems.emplace_back("--only: goes with -f");
    if (options.file.empty() && (options.kind.empty() || options.target.empty()))
        problems.emplace_back("KIND and TARGET are required, or -f FILE");
    else if (options.file.empty())
        read_one(options, timeout.value_or(3s), request, problems);
    else
        read_file(options, timeout, request, problems);
    const bool several = options.count != 1 || request.checks.size() > 1;
    if (several && options.output == "json")
        problems.emplace_back("-o json: is one object; -o jsonl has one for each run");
    return problems;
}

}  // namespace sonde::cli
