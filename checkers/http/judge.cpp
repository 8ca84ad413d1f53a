#include "checkers/http/judge.h"

#include <algorithm>

namespace sonde::checkers::http {
namespace {

constexpr std::string_view compression_names[] = {"none", "identity", "gzip", "br", "deflate"};

template <class Value>
CheckLog::Fields field(std::string_view name, const Value& value)
{
    CheckLog::Fields fields;
    fields.emplace_back(name, value);
    return fields;
}

Finding missing(const HeaderRule& rule)
{
    return {"Missing required header", field("header", rule.name),
        Verdict::fail("http_header_missing", fmt::format("the header {} is missing", rule.name)),
        true};
}

Finding broken(const HeaderRule& rule, std::size_t values, std::string line, std::string_view code,
    std::string_view what)
{
    auto fields = field("header", rule.name);
    fields.emplace_back("regexp", rule.pattern.text());
    fields.emplace_back("value_count", values);
    return {std::move(line), std::move(fields),
        Verdict::fail(code, fmt::format("header {}: {} /{}/", rule.name, what, rule.pattern.text()))
            .with("values", values),
        true};
}

}  // namespace

std::string accepted_text(std::span<const int> statuses)
{
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < statuses.size(); ++i) {
        const int first = statuses[i];
        bool whole = first % 100 == 0 && i + 99 < statuses.size();
        for (std::size_t next = 1; whole && next < 100; ++next)
            whole = statuses[i + next] == first + static_cast<int>(next);
        parts.push_back(whole ? fmt::format("{}xx", first / 100) : std::to_string(first));
        if (whole)
            i += 99;
    }
    return parts.empty() ? "2xx" : fmt::format("{}", fmt::join(parts, ", "));
}

std::optional<Finding> judge_status(const Settings& settings, int status)
{
    const auto& valid = settings.valid_status_codes;
    const bool accepted = valid.empty()
                              ? status / 100 == 2
                              : std::find(valid.begin(), valid.end(), status) != valid.end();
    if (accepted)
        return std::nullopt;
    auto fields = field("status_code", status);
    const std::string wanted = accepted_text(valid);
    auto verdict =
        Verdict::fail("http_status", fmt::format("status {}, accepted: {}", status, wanted))
            .with("status", status)
            .with("accepted", wanted);
    std::string line = "Invalid HTTP response status code, wanted 2xx";
    if (!valid.empty()) {
        line = "Invalid HTTP response status code";
        fields.emplace_back("valid_status_codes", fmt::format("[{}]", fmt::join(valid, " ")));
    }
    return Finding{std::move(line), std::move(fields), std::move(verdict), false};
}

std::optional<Finding> judge_headers(const Settings& settings, const ResponseHead& head)
{
    for (const HeaderRule& rule : settings.header_forbidden) {
        const auto values = head.visible_values(rule.name);
        if (values.empty() && !rule.allow_missing)
            return missing(rule);
        if (std::any_of(values.begin(), values.end(),
                [&](const std::string& v) { return rule.pattern.found_in(v); }))
            return broken(rule, values.size(), "Header matched regular expression",
                "http_header_present", "a value matches the forbidden pattern");
    }
    for (const HeaderRule& rule : settings.header_required) {
        const auto values = head.visible_values(rule.name);
        if (values.empty() && !rule.allow_missing)
            return missing(rule);
        if (!values.empty() && std::none_of(values.begin(), values.end(),
                                   [&](const std::string& v) { return rule.pattern.found_in(v); }))
            return broken(rule, values.size(), "Header did not match regular expression",
                "http_header_absent", "no value matches the required pattern");
    }
    return std::nullopt;
}

std::optional<Finding> judge_body(std::span<const Pattern> forbidden,
    std::span<const Pattern> required, std::string_view body, const std::stop_token& stop)
{
    for (const Pattern& pattern : forbidden) {
        if (stop.stop_requested())
            return std::nullopt;
        if (pattern.found_in(body))
            return Finding{"Body matched regular expression", field("regexp", pattern.text()),
                Verdict::fail("http_body_present",
                    fmt::format("the body matches the forbidden pattern /{}/", pattern.text())),
                true};
    }
    for (const Pattern& pattern : required) {
        if (stop.stop_requested())
            return std::nullopt;
        if (!pattern.found_in(body))
            return Finding{"Body did not match regular expression", field("regexp", pattern.text()),
                Verdict::fail("http_body_absent",
                    fmt::format("the body lacks the required pattern /{}/", pattern.text())),
                true};
    }
    return std::nullopt;
}

std::optional<Finding> judge_decoding(const Settings& settings, const Body& body, std::size_t limit)
{
    if (body.problem() == BodyProblem::none)
        return std::nullopt;
    auto fields = field("err", body.error());
    if (body.problem() == BodyProblem::too_large) {
        return Finding{"Failed to read HTTP response body", std::move(fields),
            Verdict::fail(
                "http_body_too_large", fmt::format("the body exceeds the limit of {} bytes", limit))
                .with("limit", limit),
            false};
    }
    const auto name = compression_names[static_cast<std::size_t>(settings.compression)];
    return Finding{"Failed to read HTTP response body", std::move(fields),
        Verdict::fail("http_decompress",
            fmt::format("the body is not valid {}: {}", name, body.error()),
            body.problem() == BodyProblem::truncated ? "truncated" : "malformed")
            .with("compression", name),
        false};
}

std::optional<Finding> judge_version(const Settings& settings, const std::string& version)
{
    const auto& valid = settings.valid_versions;
    if (valid.empty() || std::find(valid.begin(), valid.end(), version) != valid.end())
        return std::nullopt;
    return Finding{"Invalid HTTP version number", field("version", version),
        Verdict::fail(
            "http_version", fmt::format("{}, accepted: {}", version, fmt::join(valid, " "))),
        false};
}

std::optional<Finding> judge_ssl(const Settings& settings, bool over_tls, bool passed)
{
    if (settings.fail_if_ssl && over_tls)
        return Finding{"Final request was over SSL", {},
            Verdict::fail("http_ssl", "the final response came over TLS"), false};
    if (settings.fail_if_not_ssl && !over_tls && passed)
        return Finding{"Final request was not over SSL", {},
            Verdict::fail("http_not_ssl", "the final response did not come over TLS"), false};
    return std::nullopt;
}

}  // namespace sonde::checkers::http
