#include "config/section.h"

#include "agent/base/text.h"
#include "config/unsupported.h"

#include <sys/stat.h>

#include <charconv>
#include <cmath>

namespace sonde::config {
namespace {

constexpr std::string_view credential = "credential:";

template <class T>
Result<T> parse_number(std::string_view text, std::string_view what)
{
    T value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size())
        return error("bad_value", "\"{}\" is not {}", text, what);
    return value;
}

Result<double> parse_finite(std::string_view text)
{
    const auto value = parse_number<double>(text, "a number");
    if (value && !std::isfinite(*value))
        return error("bad_value", "\"{}\" is not a number", text);
    return value;
}

bool others_can_read(const std::string& path)
{
    struct stat facts{};
    return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & S_IROTH) != 0;
}

bool is_given(const YAML::Node& node)
{
    return node && !node.IsNull();
}

std::string join(const std::vector<std::string>& parts)
{
    return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

Section::Section(Reading& reading, const YAML::Node& node, std::string path)
    : reading_{reading}, node_{node}, path_{std::move(path)}
{
    if (is_given(node_) && !node_.IsMap())
        reading_.problem(node_, path_, "must be a mapping of keys to values");
}

Section::~Section()
{
    refuse_unsupported();
    check_keys();
}

void Section::check_keys() const
{
    if (!node_ || !node_.IsMap())
        return;
    std::set<std::string> seen;
    const std::vector<std::string_view> known{read_.begin(), read_.end()};
    for (const auto& entry : node_) {
        if (!entry.first.IsScalar()) {
            reading_.problem(
                entry.first, path_, "a key must be a single word, not a list or a mapping");
            continue;
        }
        const std::string& key = entry.first.Scalar();
        if (!seen.insert(key).second) {
            reading_.problem(entry.first, path_of(key), "is there twice: keep one of them");
        } else if (!read_.contains(key)) {
            const auto nearest = text::nearest(key, known);
            reading_.problem(entry.first, path_of(key),
                nearest.empty() ? std::string{"is not an option"}
                                : fmt::format("is not an option; did you mean {}?", nearest));
        }
    }
}

/// The rows of the table below this section; a section with no other keys is made for them.
void Section::refuse_unsupported()
{
    const std::string prefix = path_.empty() ? "" : path_ + '.';
    for (const Unsupported& row : unsupported_keys()) {
        if (!row.path.starts_with(prefix))
            continue;
        const auto rest = row.path.substr(prefix.size());
        const auto dot = rest.find('.');
        const std::string key{rest.substr(0, dot)};
        if (read_.contains(key))
            continue;
        if (dot == std::string_view::npos)
            refuse(key, row.accepted);
        else
            child(key);
    }
}

void Section::refuse(std::string_view key, std::string_view accepted)
{
    read_.emplace(key);
    if (!has(key))
        return;
    const auto value = find(key);
    const auto override = override_of(key);
    const std::string text = override           ? override->text
                             : value.IsScalar() ? value.Scalar()
                                                : std::string{};
    if (accepted.empty() || text != accepted)
        problem(key, accepted.empty() ? std::string{"not supported yet: leave it out"}
                                      : fmt::format("not supported yet, only {}", accepted));
}

std::string Section::path_of(std::string_view key) const
{
    return path_.empty() ? std::string{key} : fmt::format("{}.{}", path_, key);
}

YAML::Node Section::find(std::string_view key) const
{
    if (node_ && node_.IsMap())
        for (const auto& entry : node_)
            if (entry.first.IsScalar() && entry.first.Scalar() == key)
                return entry.second;
    return YAML::Node{YAML::NodeType::Undefined};
}

std::optional<Section::Override> Section::override_of(std::string_view key) const
{
    const std::string path = path_of(key);
    if (const auto flag = reading_.overrides.find(path); flag != reading_.overrides.end())
        return Override{flag->second, "command line"};
    const std::string name = environment_name(path);
    if (const auto value = reading_.variable(name))
        return Override{*value, name};
    return std::nullopt;
}

bool Section::has(std::string_view key) const
{
    const std::string path = path_of(key);
    const auto below = reading_.overrides.lower_bound(path + '.');
    return is_given(find(key)) || override_of(key) ||
           (below != reading_.overrides.end() && below->first.starts_with(path + '.'));
}

Section Section::child(std::string_view key)
{
    return Section{reading_, node(key), path_of(key)};
}

YAML::Node Section::node(std::string_view key)
{
    read_.emplace(key);
    return find(key);
}

void Section::problem(std::string_view key, std::string_view what)
{
    if (const auto override = override_of(key)) {
        reading_.problems.push_back(fmt::format("{}: {}: {}", override->from, path_of(key), what));
        return;
    }
    const auto at = find(key);
    reading_.problem(is_given(at) ? at : node_, path_of(key), what);
}

void Section::at_least(
    std::string_view key, std::chrono::milliseconds value, std::chrono::milliseconds least)
{
    if (value < least)
        problem(key, fmt::format("must be at least {}", print_duration(least)));
}

/// The text of a value: flag, environment, file; nullopt when it is nowhere.
std::optional<std::string> Section::scalar(std::string_view key, std::string fallback)
{
    reading_.known.emplace(path_of(key), std::move(fallback));
    const auto value = node(key);
    if (const auto override = override_of(key))
        return override->text;
    if (!is_given(value))
        return std::nullopt;
    if (!value.IsScalar()) {
        problem(key, "must be a single value, not a list or a mapping");
        return std::nullopt;
    }
    auto text = reading_.interpolate(value.Scalar());
    if (!text) {
        problem(key, text.error().message);
        return std::nullopt;
    }
    return *text;
}

template <class T, class Parse>
void Section::read_parsed(std::string_view key, T& field, std::string fallback, Parse parse)
{
    const auto text = scalar(key, std::move(fallback));
    if (!text)
        return;
    Result<T> value = parse(*text);
    if (value)
        field = std::move(*value);
    else
        problem(key, value.error().message);
}

void Section::read(std::string_view key, std::string& field)
{
    if (auto text = scalar(key, field))
        field = std::move(*text);
}

void Section::read(std::string_view key, bool& field)
{
    read_parsed(key, field, fmt::to_string(field), parse_bool);
}

void Section::read(std::string_view key, std::int64_t& field)
{
    read_parsed(key, field, fmt::to_string(field),
        [](const std::string& text) { return parse_number<std::int64_t>(text, "an integer"); });
}

void Section::read(std::string_view key, std::size_t& field)
{
    read_parsed(key, field, fmt::to_string(field),
        [](const std::string& text) { return parse_number<std::size_t>(text, "a count"); });
}

void Section::read(std::string_view key, double& field)
{
    read_parsed(key, field, fmt::to_string(field), parse_finite);
}

void Section::read(std::string_view key, std::chrono::milliseconds& field)
{
    read_parsed(key, field, print_duration(field), parse_duration);
}

void Section::read(std::string_view key, std::optional<std::int64_t>& field)
{
    using Field = std::optional<std::int64_t>;
    read_parsed(key, field, field ? fmt::to_string(*field) : "off", [](const std::string& text) {
        if (text == "off")
            return Result<Field>{Field{}};
        const auto value = parse_number<std::int64_t>(text, "an integer");
        return value && *value >= 1
                   ? Result<Field>{Field{*value}}
                   : error("bad_value", "\"{}\" is neither an integer of 1 or more nor off", text);
    });
}

void Section::read(std::string_view key, std::optional<std::chrono::milliseconds>& field)
{
    using Field = std::optional<std::chrono::milliseconds>;
    read_parsed(key, field, field ? print_duration(*field) : "off", [](const std::string& text) {
        if (text == "off")
            return Result<Field>{Field{}};
        const auto value = parse_duration(text);
        return value ? Result<Field>{Field{*value}}
                     : error("bad_value", "{}, nor off", value.error().message);
    });
}

void Section::read(std::string_view key, HostPort& field)
{
    read_parsed(key, field, field.port == 0 ? "" : field.text(), split_host_port);
}

/// The texts of a list: flag, environment, file; nullopt when it is nowhere.
std::optional<std::vector<Section::Entry>> Section::entries(
    std::string_view key, std::string fallback)
{
    const std::string path = path_of(key);
    reading_.known.emplace(path, std::move(fallback));
    const auto list = node(key);
    const YAML::Node nowhere{YAML::NodeType::Undefined};
    std::vector<Entry> all;
    if (const auto override = override_of(key)) {
        for (const auto part : text::split(override->text, ','))
            if (const auto word = text::trim(part); !word.empty())
                all.push_back({std::string{word}, nowhere, path});
        return all;
    }
    if (!is_given(list))
        return std::nullopt;
    const auto add = [&](const YAML::Node& entry, std::string where) {
        const auto text = entry.IsScalar() ? reading_.interpolate(entry.Scalar())
                                           : error("bad_value", "must be a list of single values");
        if (text)
            all.push_back({*text, entry, std::move(where)});
        else
            reading_.problem(entry, where, text.error().message);
    };
    if (!list.IsSequence())
        add(list, path);  // a list of one may be written without brackets
    else
        for (std::size_t i = 0; i < list.size(); ++i)
            add(list[i], fmt::format("{}[{}]", path, i));
    return all;
}

void Section::problem(std::string_view key, const Entry& entry, std::string_view what)
{
    if (entry.at)
        reading_.problem(entry.at, entry.path, what);
    else
        problem(key, what);
}

void Section::read(std::string_view key, std::vector<std::string>& field)
{
    read_list(
        key, field, join(field), [](const std::string& text) { return Result<std::string>{text}; });
}

void Section::read(std::string_view key, std::vector<HostPort>& field)
{
    std::vector<std::string> texts;
    for (const HostPort& address : field)
        texts.push_back(address.text());
    read_list(key, field, join(texts), split_host_port);
}

void Section::read_bytes(std::string_view key, std::size_t& field)
{
    read_parsed(key, field, print_size(field), parse_size);
}

void Section::read_path(std::string_view key, std::string& field)
{
    read_path(key, field, reading_.directory);
}

void Section::read_path(std::string_view key, std::string& field, const std::string& base)
{
    // No file names a path of the environment or a flag, so it starts where the process does.
    const bool named_by_file = !override_of(key) || base != reading_.directory;
    if (const auto text = scalar(key, field))
        field = named_by_file ? absolute(*text, base) : *text;
}

void Section::read_url(std::string_view key, std::string& field)
{
    read(key, field);
    const std::string lower = text::lower(field);
    const auto start = lower.starts_with("http://") ? 7U : lower.starts_with("https://") ? 8U : 0U;
    if (!field.empty() && (start == 0 || field.size() == start || field[start] == '/'))
        problem(key, "is no absolute http or https URL, such as http://host:8080/path");
}

void Section::read_secret(std::string_view key, Secret& field)
{
    const std::string file_key = fmt::format("{}_file", key);
    reading_.known.emplace(path_of(key), "");
    const auto value = node(key);
    const auto file = node(file_key);
    reading_.secret_files.insert(path_of(file_key));
    for (const std::string_view each : {key, std::string_view{file_key}})
        if (const auto override = override_of(each)) {
            if (each == key)
                field = Secret{override->text};
            else
                read_secret_file(each, override->text, "", field);
            return;
        }
    if (is_given(value) && is_given(file))
        return problem(key, fmt::format("is given together with {}: keep one of them", file_key));
    if (is_given(file)) {
        if (const auto path = scalar(file_key, ""))
            read_secret_file(file_key, *path, reading_.directory, field);
        return;
    }
    if (!is_given(value))
        return;
    if (value.IsScalar() && !is_reference(value.Scalar()) && !reading_.allow_inline_secrets)
        return problem(
            key, fmt::format(
                     "is a secret in clear text: write {}: PATH or {}: ${{NAME}}", file_key, key));
    if (const auto text = scalar(key, ""))
        field = Secret{*text};
}

void Section::read_secret_file(
    std::string_view key, const std::string& path, const std::string& base, Secret& field)
{
    std::string where = absolute(path, base);
    if (path.starts_with(credential)) {
        const auto directory = reading_.variable("CREDENTIALS_DIRECTORY");
        if (!directory)
            return problem(key, "there is no CREDENTIALS_DIRECTORY to look into: give a path, or "
                                "LoadCredential= in the unit");
        where = absolute(path.substr(credential.size()), *directory);
    }
    auto value = read_whole(where);
    if (!value)
        return problem(key, value.error().message);
    if (value->ends_with('\n'))
        value->pop_back();
    if (value->empty())
        problem(key, fmt::format("{}: is empty: write the secret into it", where));
    if (others_can_read(where))
        reading_.warning(
            find(key), path_of(key), fmt::format("{}: others can read it: chmod 600", where));
    field = Secret{std::move(*value)};
}

}  // namespace sonde::config
