#include "agent/cli/ctl/files.h"

#include "agent/base/text.h"
#include "agent/cli/ctl/inventory.h"
#include "checkers/registry.h"
#include "config/json.h"
#include "config/judge_check.h"
#include "config/reading.h"
#include "config/yaml_json.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>

namespace sonde::cli::ctl {
namespace {

namespace fs = std::filesystem;
using config::Reading;
using Complain = std::function<void(std::string_view member, std::string_view what)>;

constexpr std::array<std::string_view, 3> endings{".yaml", ".yml", ".json"};
constexpr std::array<std::string_view, 3> of_checks{"probes", "created", "modified"};
constexpr std::array<std::string_view, 9> of_probes{"public", "online", "onlineChange", "version",
    "commit", "buildstamp", "created", "modified", "k6Versions"};

/// Each scalar that a `${NAME}` gives its value: whoever wrote it so has a secret there. For what
/// yaml_to_json() has let pass, which is neither too deep nor too much.
void find_hidden(
    const YAML::Node& node, const Reading& reading, const std::string& path, HiddenPaths& into)
{
    if (node.IsMap()) {
        for (const auto& entry : node) {
            const std::string& key = entry.first.Scalar();
            find_hidden(entry.second, reading, path.empty() ? key : path + '.' + key, into);
        }
    } else if (node.IsSequence()) {
        for (std::size_t i = 0; i < node.size(); ++i)
            find_hidden(node[i], reading, fmt::format("{}[{}]", path, i), into);
    } else if (node.IsScalar()) {
        const auto text = reading.interpolate(node.Scalar());
        if (!text || *text != node.Scalar())
            into.insert(path);
    }
}

/// What every check of the API has; what the kinds know is theirs, and the API's own limits are
/// the API's.
void judge(const pb::Check& check, const Complain& complain)
{
    if (text::trim(check.job()).empty())
        complain("job", "is required");
    if (text::trim(check.target()).empty())
        complain("target", "is required");
    if (check.frequency() < 1)
        complain("frequency", "must be milliseconds above 0");
    if (check.timeout() < 1)
        complain("timeout", "must be milliseconds above 0");
    else if (check.timeout() > check.frequency())
        complain("timeout", "must not exceed frequency");
    if (const auto kind = checkers::settings_name(check.settings()); kind.empty())
        complain("settings", "exactly one kind is required, such as ping: {}");
    else if (checkers::find_kind(kind) != nullptr)  // the API may know more of them
        for (const Error& problem : checkers::validate(check)) {
            const auto colon = problem.message.find(": ");
            complain(problem.message.substr(0, colon), problem.message.substr(colon + 2));
        }
}

template <class Labelled>
void judge_labels(const Labelled& labelled, const Complain& complain)
{
    std::set<std::string> names;
    for (int i = 0; i < labelled.labels_size(); ++i)
        if (!names.insert(labelled.labels(i).name()).second)
            complain(fmt::format("labels[{}]", i),
                fmt::format("{} is there twice: keep one of them", labelled.labels(i).name()));
}

void judge(const pb::Probe& probe, const Complain& complain)
{
    if (text::trim(probe.name()).empty())
        complain("name", "is required");
    if (!(probe.latitude() >= -90 && probe.latitude() <= 90))
        complain("latitude", "must be from -90 to 90");
    if (!(probe.longitude() >= -180 && probe.longitude() <= 180))
        complain("longitude", "must be from -180 to 180");
}

/// All files on their way into one Declared.
class Reader {
public:
    Reader(const std::map<std::string, std::string>& environment, Contents contents, Declared& into)
        : environment_{environment}, contents_{contents}, into_{into}
    {}

    void read(const std::string& file)
    {
        Reading reading{file, {}, environment_, {}};
        if (const auto root = reading.load())
            read_root(*root, reading);
        std::move(
            reading.problems.begin(), reading.problems.end(), std::back_inserter(into_.problems));
    }

private:
    void read_root(const YAML::Node& root, Reading& reading)
    {
        const bool is_one =
            root.IsMap() && (root["job"] || root["target"] || root["settings"] || root["name"]);
        if (!root.IsMap() || is_one)
            return read_section(root, reading, "", contents_);
        if (!root["checks"] && !root["probes"])
            reading.problem(root, "",
                contents_ == Contents::checks
                    ? "is neither a check, nor a list of them, nor a mapping with checks or probes"
                    : "is neither a probe, nor a list of them, nor a mapping with probes");
        for (const auto& entry : root) {
            const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
            if (key == "checks" || key == "probes")
                read_section(entry.second, reading, key,
                    key == "checks" ? Contents::checks : Contents::probes);
            else
                reading.problem(entry.first, key, "is neither checks nor probes");
        }
    }

    void read_section(
        const YAML::Node& node, Reading& reading, const std::string& path, Contents contents)
    {
        (contents == Contents::checks ? into_.speaks_of_checks : into_.speaks_of_probes) = true;
        const auto add = [&](const YAML::Node& one, const std::string& where) {
            contents == Contents::checks ? add_check(one, reading, where)
                                         : add_probe(one, reading, where);
        };
        if (node.IsNull())
            return;
        if (!node.IsSequence())
            return add(node, path);
        for (std::size_t i = 0; i < node.size(); ++i)
            add(node[i], fmt::format("{}[{}]", path, i));
    }

    static Complain complaints(const YAML::Node& node, Reading& reading, const std::string& path)
    {
        return [&node, &reading, path](std::string_view member, std::string_view what) {
            reading.problem(config::follow(node, member),
                path.empty() ? std::string{member} : fmt::format("{}.{}", path, member), what);
        };
    }

    static void pass_on(const Error& why, const Complain& complain)
    {
        const auto colon = why.message.find(": ");
        complain(why.message.substr(0, colon), why.message.substr(colon + 2));
    }

    static std::string place_of(const YAML::Node& node, const Reading& reading)
    {
        return fmt::format("{}:{}", reading.file, node.Mark().line + 1);
    }

    void add_check(const YAML::Node& node, Reading& reading, const std::string& path)
    {
        if (!node.IsMap())
            return reading.problem(node, path, "must be a check: a mapping with job and target");
        const Complain complain = complaints(node, reading, path);
        const auto before = reading.problems.size();
        DeclaredCheck declared;
        declared.place = place_of(node, reading);
        pb::Check& check = declared.check;
        check.set_enabled(true);
        check.set_frequency(config::default_period_ms);
        check.set_timeout(config::default_timeout_ms);
        const std::string json = config::yaml_to_json(node, reading, path, check.GetDescriptor());
        if (const auto read = config::read_json(json, check, {.ignored = of_checks}); !read)
            return pass_on(read.error(), complain);
        read_probes_of(node, reading, complain, declared);
        if (const YAML::Node folder = node["folderUid"]; folder && folder.IsScalar())
            if (const auto text = reading.interpolate(folder.Scalar()))
                declared.folder_uid = *text;
        judge(check, complain);
        judge_labels(check, complain);
        const auto [first, is_new] =
            checks_.emplace(std::pair{check.job(), check.target()}, declared.place);
        if (!is_new)
            complain("job", fmt::format("\"{}\" with target \"{}\" is in {}, too: keep one of them",
                                check.job(), check.target(), first->second));
        if (reading.problems.size() != before)
            return;
        find_hidden(node, reading, "", declared.hidden);
        into_.checks.push_back(std::move(declared));
    }

    static void read_probes_of(const YAML::Node& node, const Reading& reading,
        const Complain& complain, DeclaredCheck& declared)
    {
        const YAML::Node probes = node["probes"];
        if (!probes || !probes.IsSequence() || probes.size() == 0)
            return complain("probes", "at least one probe is required, by name or id");
        for (std::size_t i = 0; i < probes.size(); ++i) {
            const auto text = probes[i].IsScalar() ? reading.interpolate(probes[i].Scalar())
                                                   : Result<std::string>{std::string{}};
            if (text && !text->empty())
                declared.probes.push_back(*text);
            else if (text)
                complain(fmt::format("probes[{}]", i), "must be a name or an id");
        }
    }

    void add_probe(const YAML::Node& node, Reading& reading, const std::string& path)
    {
        if (!node.IsMap())
            return reading.problem(node, path, "must be a probe: a mapping with a name");
        const Complain complain = complaints(node, reading, path);
        const auto before = reading.problems.size();
        DeclaredProbe declared;
        declared.place = place_of(node, reading);
        declared.json = config::yaml_to_json(node, reading, path, declared.probe.GetDescriptor());
        if (const auto read =
                config::read_json(declared.json, declared.probe, {.ignored = of_probes});
            !read)
            return pass_on(read.error(), complain);
        judge(declared.probe, complain);
        judge_labels(declared.probe, complain);
        const auto [first, is_new] = probes_.emplace(declared.probe.name(), declared.place);
        if (!is_new)
            complain("name", fmt::format("\"{}\" is in {}, too: keep one of them",
                                 declared.probe.name(), first->second));
        if (reading.problems.size() != before)
            return;
        find_hidden(node, reading, "", declared.hidden);
        into_.probes.push_back(std::move(declared));
    }

    const std::map<std::string, std::string>& environment_;
    Contents contents_;
    Declared& into_;
    std::map<std::pair<std::string, std::string>, std::string> checks_;  // to their places
    std::map<std::string, std::string> probes_;
};

bool is_hidden(const fs::path& path)
{
    return path.filename().string().starts_with('.');
}

/// The files below a folder in order of their names. A folder that cannot be read to its end is an
/// error: what is missing would look as if nobody wanted it.
Result<std::vector<std::string>> files_below(const std::string& folder)
{
    std::vector<std::string> files;
    std::error_code failed;
    fs::recursive_directory_iterator entries{folder, failed};
    while (!failed && entries != fs::recursive_directory_iterator{}) {
        const fs::path path = entries->path();
        const bool wanted =
            std::find(endings.begin(), endings.end(), path.extension().string()) != endings.end();
        if (is_hidden(path))
            entries.disable_recursion_pending();
        else if (std::error_code unknown; wanted && !entries->is_directory(unknown))
            files.push_back(path.string());  // whether it can be read will be seen
        entries.increment(failed);
    }
    if (failed)
        return error("bad_value", "{}: {}", folder, failed.message());
    if (files.empty())
        return error("bad_value", "{}: there is no *.yaml, *.yml or *.json below it", folder);
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

Declared read_declared(const std::vector<std::string>& paths,
    const std::map<std::string, std::string>& environment, Contents contents)
{
    Declared declared;
    Reader reader{environment, contents, declared};
    for (const std::string& path : paths) {
        std::error_code unknown;
        if (!fs::is_directory(path, unknown)) {
            reader.read(path == "-" ? "/dev/stdin" : path);
            continue;
        }
        const auto files = files_below(path);
        if (!files)
            declared.problems.push_back(files.error().message);
        else
            for (const std::string& file : *files)
                reader.read(file);
    }
    return declared;
}

}  // namespace sonde::cli::ctl
