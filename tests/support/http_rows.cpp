#include "tests/support/http_rows.h"

#include "agent/base/text.h"

#include <algorithm>
#include <charconv>

namespace sonde::tests {
namespace {

struct ShortName {
    std::string_view name;
    std::string_view metric;
    std::string_view phase = {};
};

constexpr ShortName series_names[] = {{"status", "probe_http_status_code"},
    {"version", "probe_http_version"}, {"content", "probe_http_content_length"},
    {"body", "probe_http_uncompressed_body_length"}, {"redirects", "probe_http_redirects"},
    {"ssl", "probe_http_ssl"}, {"regex", "probe_failed_due_to_regex"},
    {"modified", "probe_http_last_modified_timestamp_seconds"},
    {"lookup", "probe_dns_lookup_time_seconds"}, {"protocol", "probe_ip_protocol"},
    {"earliest", "probe_ssl_earliest_cert_expiry"},
    {"last_chain", "probe_ssl_last_chain_expiry_timestamp_seconds"},
    {"chain_info", "probe_ssl_last_chain_info"}, {"tls_version", "probe_tls_version_info"},
    {"cipher", "probe_tls_cipher_info"}, {"resolve", "probe_http_duration_seconds", "resolve"},
    {"connect", "probe_http_duration_seconds", "connect"},
    {"tls", "probe_http_duration_seconds", "tls"},
    {"processing", "probe_http_duration_seconds", "processing"},
    {"transfer", "probe_http_duration_seconds", "transfer"}};

std::optional<double> find(const checkers::Report& report, const ShortName& series)
{
    for (const auto& sample : report.observed.samples())
        if (sample.metric->name == series.metric &&
            (series.phase.empty() || sample.label_values.front() == series.phase))
            return sample.value;
    return std::nullopt;
}

void check_one(const checkers::Report& report, std::string_view expected)
{
    CAPTURE(expected);
    const auto end_of_name = std::min(expected.find_first_of("=>"), expected.size());
    const std::string_view name = expected.substr(0, end_of_name);
    const std::string_view condition = expected.substr(end_of_name);
    const auto* const series = std::find_if(std::begin(series_names), std::end(series_names),
        [&](const ShortName& known) { return known.name == name; });
    REQUIRE(series != std::end(series_names));
    const auto value = find(report, *series);
    CAPTURE(value.value_or(-99));
    if (condition == "=-") {
        CHECK(!value.has_value());
        return;
    }
    REQUIRE(value.has_value());
    if (condition.empty())
        return;
    const auto number = condition.substr(condition.find_first_not_of("=>"));
    double bound = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), bound);
    REQUIRE(read.ptr == number.data() + number.size());
    const bool equal_will_do = condition.front() == '=' || condition[1] == '=';
    const bool holds =
        (equal_will_do && *value == bound) || (condition.front() == '>' && *value > bound);
    CHECK(holds);
}

}  // namespace

std::string answer(int status, const std::string& body, const std::string& headers)
{
    return fmt::format(
        "HTTP/1.1 {} Said\r\nContent-Length: {}\r\n{}\r\n{}", status, body.size(), headers, body);
}

std::string ok(const std::string& body, const std::string& headers)
{
    return answer(200, body, headers);
}

std::string moved(int status, const std::string& location, const std::string& headers)
{
    return answer(status, "", fmt::format("Location: {}\r\n{}", location, headers));
}

void check_series(const checkers::Report& report, std::string_view expected)
{
    for (const auto each : text::split(expected, ' '))
        if (!each.empty())
            check_one(report, each);
}

std::string reasons_of(const checkers::Report& report)
{
    std::vector<std::string> found;
    for (const auto& entry : report.log)
        for (const auto& field : entry.fields)
            if (field.key == "reason" && (found.empty() || found.back() != field.value))
                found.push_back(field.value);
    return fmt::format("{}", fmt::join(found, " "));
}

checkers::Report HttpFixture::ask(
    const std::string& target, std::string_view members, std::chrono::milliseconds timeout)
{
    return run(target,
        fmt::format(
            R"({{"http": {{"ipVersion": "V4"{}{}}}}})", members.empty() ? "" : ", ", members),
        timeout);
}

ScriptedServer& HttpFixture::serve(std::vector<Script> scripts)
{
    return servers.emplace_back(loop, std::move(scripts));
}

ScriptedServer& HttpFixture::serve(const std::vector<std::string>& answers)
{
    std::vector<Script> scripts;
    for (const std::string& each : answers)
        scripts.push_back({{end_of_head, each}});
    return serve(std::move(scripts));
}

checkers::Report HttpFixture::get(
    const std::vector<std::string>& answers, std::string_view members, const std::string& path)
{
    return ask("http://" + serve(answers).address() + path, members);
}

std::string HttpFixture::refusing_address() const
{
    return fmt::format("127.0.0.1:{}", unheard_.local_endpoint().port());
}

void check_rows(HttpFixture& fixture, const std::vector<VerdictRow>& rows)
{
    for (const VerdictRow& row : rows) {
        CAPTURE(row.name);
        CAPTURE(row.members);
        const auto report = fixture.get(row.answers, row.members);
        CAPTURE(report.verdict.message);
        CHECK(report.verdict.code == row.reasons.substr(0, row.reasons.find(' ')));
        CHECK(report.verdict.cause == row.cause);
        CHECK(reasons_of(report) == row.reasons);
        check_series(report, row.series);
    }
}

}  // namespace sonde::tests
