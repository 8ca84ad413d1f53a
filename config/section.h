#pragma once

#include "agent/base/error.h"
#include "agent/base/host_port.h"
#include "config/reading.h"
#include "config/secret.h"
#include "config/values.h"

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::config {

/// A word of the file and what it stands for.
template <class E>
struct Word {
    std::string_view text;
    E value;
};

/// One YAML mapping while it is being read. Every problem is collected, none stops the reading, so
/// that an operator sees all of them at once, each with line and full path.
///
/// A value comes from the flag, the environment, the file or the default, in this order (spec 07
/// §1). When a Section goes it reports what nobody asked for: repeated keys, unknown keys, and the
/// keys of the table in config/unsupported.h.
class Section {
public:
    Section(Reading& reading, const YAML::Node& node, std::string path);
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

    /// Whether the file (null is nothing), a flag, or a variable of just this key gives it.
    bool has(std::string_view key) const;
    Section child(std::string_view key);
    YAML::Node node(std::string_view key);  ///< for what is no scalar; counts as read
    std::string path_of(std::string_view key) const;
    Reading& reading() { return reading_; }

    // Each overwrites `field` when `key` is present; a field left alone keeps its default.
    void read(std::string_view key, std::string& field);
    void read(std::string_view key, bool& field);
    void read(std::string_view key, std::int64_t& field);
    void read(std::string_view key, std::size_t& field);  ///< a count
    void read(std::string_view key, double& field);
    void read(std::string_view key, std::chrono::milliseconds& field);
    /// A duration, or `off`: absent.
    void read(std::string_view key, std::optional<std::chrono::milliseconds>& field);
    /// An integer of 1 or more, or `off`: absent.
    void read(std::string_view key, std::optional<std::int64_t>& field);
    void read(std::string_view key, HostPort& field);
    void read(std::string_view key, std::vector<std::string>& field);
    void read(std::string_view key, std::vector<HostPort>& field);
    /// A list whose entries `parse` makes a Result<T> of; a problem has the line of its entry.
    template <class T, class Parse>
    void read_list(std::string_view key, std::vector<T>& field, std::string fallback, Parse parse);
    void read_bytes(std::string_view key, std::size_t& field);
    void read_path(std::string_view key, std::string& field);
    void read_path(std::string_view key, std::string& field, const std::string& base);
    template <class E>
    void read_word(std::string_view key, E& field, std::span<const Word<E>> words);
    /// An absolute http or https URL. It may hold a password, so problems do not repeat it.
    void read_url(std::string_view key, std::string& field);
    /// `K_file`, `K_file: credential:NAME`, or `K: ${NAME}` (spec 07 §1).
    void read_secret(std::string_view key, Secret& field);

    void problem(std::string_view key, std::string_view what);
    /// The same, when `value` lies below `least`, which is a duration above 0.
    void at_least(
        std::string_view key, std::chrono::milliseconds value, std::chrono::milliseconds least);

private:
    /// What the command line or the environment says, and who says it.
    struct Override {
        std::string text;
        std::string from;
    };
    std::optional<Override> override_of(std::string_view key) const;
    std::optional<std::string> scalar(std::string_view key, std::string fallback);
    struct Entry {
        std::string text;
        YAML::Node at;  ///< undefined: not in the file
        std::string path;
    };
    std::optional<std::vector<Entry>> entries(std::string_view key, std::string fallback);
    void problem(std::string_view key, const Entry& entry, std::string_view what);
    YAML::Node find(std::string_view key) const;
    template <class T, class Parse>
    void read_parsed(std::string_view key, T& field, std::string fallback, Parse parse);
    void read_secret_file(
        std::string_view key, const std::string& path, const std::string& base, Secret& field);
    void refuse_unsupported();
    void refuse(std::string_view key, std::string_view accepted);
    void check_keys() const;

    Reading& reading_;
    YAML::Node node_;
    std::string path_;
    std::set<std::string, std::less<>> read_;
};

template <class T, class Parse>
void Section::read_list(
    std::string_view key, std::vector<T>& field, std::string fallback, Parse parse)
{
    const auto list = entries(key, std::move(fallback));
    if (!list)
        return;
    field.clear();
    for (const Entry& entry : *list) {
        Result<T> value = parse(entry.text);
        if (value)
            field.push_back(std::move(*value));
        else
            problem(key, entry, value.error().message);
    }
}

template <class E>
void Section::read_word(std::string_view key, E& field, std::span<const Word<E>> words)
{
    std::string all;
    std::string fallback;
    for (const Word<E>& word : words) {
        all += (all.empty() ? "" : ", ") + std::string{word.text};
        if (word.value == field)
            fallback = word.text;
    }
    const auto text = scalar(key, fallback);
    if (!text)
        return;
    for (const Word<E>& word : words)
        if (word.text == *text) {
            field = word.value;
            return;
        }
    problem(key, fmt::format("\"{}\" is not one of {}", *text, all));
}

}  // namespace sonde::config
