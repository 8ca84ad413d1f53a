#include "tests/differential/facts.h"

#include "agent/base/text.h"

#include <doctest/doctest.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

namespace sonde::tests {
namespace {

/// Spec 02 §11: no cipher, no expectations of bytes; it never tells of a truncated reply (DEV-14),
/// and its icmp prober sends one packet, of which there is no minimum.
constexpr std::string_view ours_alone[] = {"probe_tls_cipher_info", "probe_failed_due_to_bytes",
    "probe_dns_reply_truncated", "probe_icmp_duration_rtt_min_seconds",
    "probe_icmp_duration_rtt_max_seconds", "probe_icmp_duration_rtt_stddev_seconds",
    "probe_icmp_packets_sent_count", "probe_icmp_packets_received_count"};

/// Reads `name="value",…}` and leaves what follows.
std::map<std::string, std::string> read_labels(std::string_view& rest)
{
    std::map<std::string, std::string> labels;
    while (!rest.empty() && rest.front() != '}') {
        const auto equals = std::min(rest.find("=\""), rest.size());
        std::string& value = labels[std::string{rest.substr(0, equals)}];
        rest.remove_prefix(std::min(equals + 2, rest.size()));
        while (!rest.empty() && rest.front() != '"') {
            const bool escaped = rest.front() == '\\' && rest.size() > 1;
            rest.remove_prefix(escaped ? 1 : 0);
            value += escaped && rest.front() == 'n' ? '\n' : rest.front();
            rest.remove_prefix(1);
        }
        rest.remove_prefix(std::min<std::size_t>(1, rest.size()));
        if (rest.starts_with(','))
            rest.remove_prefix(1);
    }
    REQUIRE(rest.starts_with('}'));
    rest.remove_prefix(1);
    return labels;
}

std::string described(const Sample& sample)
{
    if (sample.labels.count("phase") > 0 || sample.name == "probe_dns_lookup_time_seconds")
        return sample.value > 0 ? ">0" : fmt::format("{}", sample.value);
    if (!sample.name.ends_with("_info"))
        return fmt::format("{}", sample.value);
    auto labels = sample.labels;
    labels.erase("serialnumber");  // spec 02 §11: the package does not have it
    return fmt::format("{}", labels);
}

}  // namespace

std::vector<Sample> read_exposition(std::string_view text)
{
    std::vector<Sample> samples;
    for (const std::string_view line : text::split(text, '\n')) {
        if (line.empty() || line.starts_with('#'))
            continue;
        CAPTURE(line);
        const auto end_of_name = std::min(line.find_first_of("{ "), line.size());
        Sample sample{std::string{line.substr(0, end_of_name)}, {}, 0};
        std::string_view rest = line.substr(end_of_name);
        if (rest.starts_with('{')) {
            rest.remove_prefix(1);
            sample.labels = read_labels(rest);
        }
        REQUIRE(rest.starts_with(' '));
        const std::string number{rest.substr(1)};
        char* end = nullptr;
        sample.value = std::strtod(number.c_str(), &end);
        REQUIRE((end != number.c_str() && *end == '\0'));
        samples.push_back(std::move(sample));
    }
    return samples;
}

std::vector<Sample> samples_of(const checkers::Report& report)
{
    std::vector<Sample> samples{{"probe_success", {}, report.verdict.passed() ? 1.0 : 0.0}};
    for (const auto& observed : report.observed.samples()) {
        Sample sample{std::string{observed.metric->name}, {}, observed.value};
        const auto names = text::split(observed.metric->labels, ',');
        for (std::size_t i = 0; i < observed.label_values.size(); ++i)
            sample.labels.emplace(names[i], observed.label_values[i]);
        samples.push_back(std::move(sample));
    }
    return samples;
}

Facts facts_of(const std::vector<Sample>& samples)
{
    Facts facts;
    for (const Sample& sample : samples) {
        if (sample.name == "probe_duration_seconds")
            continue;  // every run has one
        const auto phase = sample.labels.find("phase");
        const std::string key = phase == sample.labels.end()
                                    ? sample.name
                                    : fmt::format("{}{{{}}}", sample.name, phase->second);
        REQUIRE_MESSAGE(facts.emplace(key, described(sample)).second, "twice: " << key);
    }
    return facts;
}

bool only_ours(std::string_view series)
{
    return std::find(std::begin(ours_alone), std::end(ours_alone), series) != std::end(ours_alone);
}

}  // namespace sonde::tests
