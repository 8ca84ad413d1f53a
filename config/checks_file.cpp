// `checks` and `checks_files`: checks of this probe alone, in the API's own form (spec 07 §3.3).
#include "agent/base/text.h"
#include "config/json.h"
#include "config/judge_check.h"
#include "config/sections.h"
#include "config/yaml_json.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace sonde::config {
namespace {

constexpr std::int64_t shortest_ms = 1'000;
constexpr std::int64_t longest_period_ms = 3'600'000;
constexpr std::int64_t longest_timeout_ms = 60'000;
constexpr std::int64_t labels_of_agents =
    12;  // 9 that agents add and 3 of the probe (spec 04 §4.6)

using Complain = std::function<void(const std::string& member, std::string what)>;

bool has_control_characters(std::string_view text)
{
    return std::any_of(text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// `target` and `job` (spec 04 §6.1).
std::string bad_text(std::string_view text)
{
    constexpr std::size_t longest = 2048;
    if (text::trim(text).empty())
        return "is required";
    if (text.size() > longest)
        return "is longer than 2048 bytes";
    if (text == "__internal__")
        return "must not be __internal__";
    return has_control_characters(text) ? "must not have control characters" : "";
}

int kinds_of(const pb::CheckSettings& settings)
{
    const auto& type = *settings.GetDescriptor();
    int count = 0;
    for (int i = 0; i < type.field_count(); ++i)
        count += settings.GetReflection()->HasField(settings, type.field(i)) ? 1 : 0;
    return count;
}

void judge_labels(const pb::Check& check, const TenantConfig& tenant, const Complain& complain)
{
    const std::int64_t most = tenant.max_metric_labels - labels_of_agents;
    if (check.labels_size() > most)
        complain("labels",
            fmt::format("are more than {}: fewer, or raise max_metric_labels of the tenant", most));
    std::set<std::string> names;
    for (int i = 0; i < check.labels_size(); ++i) {
        const pb::Label& label = check.labels(i);
        const std::string path = fmt::format("labels[{}]", i);
        if (std::string wrong = bad_label(label.name(), label.value()); !wrong.empty())
            complain(path, std::move(wrong));
        else if (!names.insert(label.name()).second)
            complain(path, fmt::format("{} is there twice: keep one of them", label.name()));
    }
}

/// What the API would refuse and needs no knowledge of kinds (spec 04 §6.1, 6.3, 6.4).
void judge(const pb::Check& check, const TenantConfig& tenant, const Complain& complain)
{
    if (std::string wrong = bad_text(check.job()); !wrong.empty())
        complain("job", std::move(wrong));
    if (std::string wrong = bad_text(check.target()); !wrong.empty())
        complain("target", std::move(wrong));
    if (kinds_of(check.settings()) != 1)
        complain("settings", "exactly one kind is required, such as ping: {}");
    if (check.frequency() < shortest_ms || check.frequency() > longest_period_ms)
        complain("frequency", "must be between 1000 and 3600000 milliseconds");
    if (check.timeout() < shortest_ms || check.timeout() > longest_timeout_ms)
        complain("timeout", "must be between 1000 and 60000 milliseconds");
    else if (check.timeout() > check.frequency())
        complain("timeout", "must not exceed frequency");
    if (check.offset() < 0 || check.offset() > check.frequency())
        complain("offset", "must be between 0 and frequency");
    if (check.id() == 0)
        complain("id", "must not be 0; leave it out for the position");
    if (check.has_channels())
        complain("channels", "not supported yet: leave it out");
    if (const auto& word = check.alertsensitivity();
        word.size() > 128 || has_control_characters(word))
        complain("alertSensitivity", "must have at most 128 bytes and no control characters");
    judge_labels(check, tenant, complain);
}

/// Seconds with whole microseconds, as the API computes its times (spec 04 §2.1).
double changed(const std::string& file)
{
    struct stat facts{};
    if (::stat(file.c_str(), &facts) != 0)
        return 0;
    return static_cast<double>(
               facts.st_mtim.tv_sec * std::int64_t{1'000'000} + facts.st_mtim.tv_nsec / 1000) /
           1e6;
}

/// All local checks while they are being read, from whatever file.
class Checks {
public:
    Checks(const std::vector<TenantConfig>& tenants, const JudgeCheck& judge_kind,
        std::vector<pb::Check>& checks)
        : tenants_{tenants}, judge_kind_{judge_kind}, checks_{checks}
    {}

    /// `path` is where the check stands in its file: "checks[2]", or empty for the whole of it.
    void add(const YAML::Node& node, Reading& reading, const std::string& path)
    {
        ++position_;
        if (!node.IsMap())
            return reading.problem(node, path, "must be a check: a mapping with job and target");
        const Complain complain = [&](const std::string& member, std::string what) {
            reading.problem(
                follow(node, member), path.empty() ? member : path + '.' + member, std::move(what));
        };
        const auto before = reading.problems.size();
        pb::Check check = defaults(reading);
        const std::string text = yaml_to_json(node, reading, path, check.GetDescriptor());
        static constexpr std::string_view ignored[] = {"probes", "created"};
        if (const auto read = read_json(text, check, {.ignored = ignored}); !read)
            return pass_on(read.error(), complain);
        const TenantConfig* tenant = tenant_of(check, complain);
        judge(check, tenant == nullptr ? TenantConfig{} : *tenant, complain);
        remember(check, complain);
        if (judge_kind_ && check.enabled() && reading.problems.size() == before)
            for (const Error& problem : judge_kind_(check))
                pass_on(problem, complain);
        if (check.enabled() && reading.problems.size() == before)
            checks_.push_back(std::move(check));
    }

private:
    /// An Error that begins with the member it is about.
    static void pass_on(const Error& why, const Complain& complain)
    {
        const auto colon = why.message.find(": ");
        complain(why.message.substr(0, colon), why.message.substr(colon + 2));
    }

    pb::Check defaults(const Reading& reading) const
    {
        pb::Check check;
        check.set_id(position_);
        check.set_tenantid(tenants_.empty() ? 1 : tenants_.front().id);
        check.set_enabled(true);
        check.set_frequency(default_period_ms);
        check.set_timeout(default_timeout_ms);
        check.set_modified(changed(reading.file));
        return check;
    }

    const TenantConfig* tenant_of(const pb::Check& check, const Complain& complain) const
    {
        for (const TenantConfig& tenant : tenants_)
            if (tenant.id == check.tenantid())
                return &tenant;
        if (!tenants_.empty())
            complain(
                "tenantId", fmt::format("there is no {} in tenants: add it there, or name another",
                                check.tenantid()));
        return nullptr;
    }

    void remember(const pb::Check& check, const Complain& complain)
    {
        if (!ids_.insert(check.id()).second)
            complain("id",
                fmt::format("{} is there twice: leave id out, or make it unique", check.id()));
        if (!pairs_.emplace(check.tenantid(), check.job(), check.target()).second)
            complain(
                "job", fmt::format("\"{}\" with target \"{}\" is there twice: change one of them",
                           check.job(), check.target()));
    }

    const std::vector<TenantConfig>& tenants_;
    const JudgeCheck& judge_kind_;
    std::vector<pb::Check>& checks_;
    std::int64_t position_ = 0;
    std::set<std::int64_t> ids_;
    std::set<std::tuple<std::int64_t, std::string, std::string>> pairs_;
};

void read_list(const YAML::Node& list, Reading& reading, const std::string& path, Checks& checks)
{
    for (std::size_t i = 0; i < list.size(); ++i)
        checks.add(list[i], reading, fmt::format("{}[{}]", path, i));
}

void read_file(const std::string& file, Reading& top, Checks& checks)
{
    Reading reading{file, {}, top.environment, {}, top.allow_inline_secrets};
    if (const auto root = reading.load()) {
        if (root->IsSequence())
            read_list(*root, reading, "", checks);
        else
            checks.add(*root, reading, "");
    }
    std::move(reading.problems.begin(), reading.problems.end(), std::back_inserter(top.problems));
}

/// The files of a pattern in order of their names; a plain name stands for itself.
std::vector<std::string> expand(const std::string& pattern)
{
    std::vector<std::string> files;
    glob_t found{};
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
        files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    if (files.empty() && pattern.find_first_of("*?[") == std::string::npos)
        files.push_back(pattern);
    return files;
}

}  // namespace

LoadedChecks load_checks_file(const std::string& file,
    const std::map<std::string, std::string>& environment, const JudgeCheck& judge)
{
    LoadedChecks loaded;
    Reading top{file, {}, environment, {}};
    const std::vector<TenantConfig> any;
    Checks checks{any, judge, loaded.checks};
    read_file(file, top, checks);
    loaded.problems = std::move(top.problems);
    return loaded;
}

void read_checks(Section& top, const std::vector<TenantConfig>& tenants, const JudgeCheck& judge,
    std::vector<pb::Check>& into)
{
    Reading& reading = top.reading();
    Checks checks{tenants, judge, into};
    reading.known.emplace("checks", "");
    const auto list = top.node("checks");
    if (list && list.IsSequence())
        read_list(list, reading, "checks", checks);
    else if (list && !list.IsNull())
        top.problem("checks", "must be a list");
    std::vector<std::string> patterns;
    top.read("checks_files", patterns);
    for (const std::string& pattern : patterns) {
        const auto files = expand(absolute(pattern, reading.directory));
        if (files.empty())
            reading.warning(top.node("checks_files"), "checks_files",
                fmt::format("{} matches no file", pattern));
        for (const std::string& file : files)
            read_file(file, reading, checks);
    }
}

}  // namespace sonde::config
