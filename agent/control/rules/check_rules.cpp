#include "agent/control/rules/check_rules.h"

#include "agent/base/host_port.h"
#include "agent/base/text.h"
#include "agent/control/rules/probe_rules.h"
#include "checkers/registry.h"

#include <algorithm>
#include <array>
#include <set>

namespace sonde::control::rules {
namespace {

constexpr std::size_t longest_text = 2048;
// Labels of a check (spec 04 §4.6, §6.4): what is left beside those of agents and probes.
constexpr std::int64_t most_of_contract = 5;
constexpr std::int64_t of_probe = most_probe_labels;

/// The kinds whose times are shorter unless the profile is extended.
bool of_contract(std::string_view kind)
{
    return kind == "dns" || kind == "http" || kind == "ping" || kind == "tcp";
}

Result<> fit_text(std::string_view member, const std::string& text)
{
    if (text.empty())
        return invalid(member, "is required");
    if (text.size() > longest_text)
        return invalid(member, "must not be longer than {} bytes", longest_text);
    if (!text::is_utf8(text))
        return invalid(member, "not valid UTF-8");
    if (has_control(text))
        return invalid(member, "must not contain control characters");
    if (text == "__internal__")
        return invalid(member, "is reserved");
    if (member == "job" && text::trim(text).empty())
        return invalid(member, "must not be blank");
    return {};
}

Result<> fit_times(const pb::Check& check, std::string_view kind, bool extended)
{
    const Range frequency = frequency_range(kind, extended);
    if (check.frequency() < frequency.least || check.frequency() > frequency.most)
        return invalid(
            "frequency", "must be between {} and {} milliseconds", frequency.least, frequency.most);
    const Range timeout = timeout_range(kind, extended);
    if (check.timeout() < timeout.least || check.timeout() > timeout.most)
        return invalid(
            "timeout", "must be between {} and {} milliseconds", timeout.least, timeout.most);
    if (check.timeout() > check.frequency())
        return invalid("timeout", "must not exceed frequency");
    if (check.offset() < 0 || check.offset() > check.frequency())
        return invalid("offset", "must be between 0 and frequency");
    return {};
}

Result<> fit_sensitivity(const std::string& value, bool custom)
{
    static constexpr std::array<std::string_view, 5> known = {"", "none", "low", "medium", "high"};
    if (std::find(known.begin(), known.end(), value) != known.end() ||
        (custom && value.size() <= 128 && text::is_utf8(value)))
        return {};
    return invalid("alertSensitivity", "unknown value");
}

bool is_dns_name(std::string_view name)
{
    if (name == "localhost")
        return true;
    if (name.find('.') == std::string_view::npos || name.size() > 255 || has_control(name) ||
        name.find(' ') != std::string_view::npos)
        return false;
    if (name.ends_with('.'))
        name.remove_suffix(1);
    const auto labels = text::split(name, '.');
    return std::all_of(labels.begin(), labels.end(),
        [](std::string_view l) { return !l.empty() && l.size() <= 63; });
}

/// Stricter than what checkers run: names of one label are for files of a probe alone.
Result<> fit_target(const pb::Check& check, std::string_view kind)
{
    const std::string& target = check.target();
    if (kind == "ping" && !is_host(target))
        return invalid("target", "must be an IP address or a host name of two labels or more");
    if (kind == "tcp" || kind == "grpc") {
        const auto address = split_host_port(target);
        if (!address || address->port == 0 || !is_host(address->host))
            return invalid("target", "must be host:port, an IPv6 address in brackets");
    }
    if (kind == "dns") {
        const bool ptr = check.settings().dns().recordtype() == pb::PTR;
        if (is_ip_literal(target) ? !ptr : !is_dns_name(target))
            return invalid(
                "target", "{}", ptr ? "must be an IP address or a DNS name" : "must be a DNS name");
    }
    if (kind == "http") {
        const auto scheme = target.find("://");
        if (scheme == std::string::npos)
            return invalid("target", "must be an absolute http or https URL");
        std::string_view host = std::string_view{target}.substr(scheme + 3);
        host = host.substr(0, host.find_first_of("/?#"));
        if (host.ends_with(':'))
            return invalid("target", "the port is empty");
        if (host.starts_with('['))
            return {};
        if (!is_host(host.substr(0, host.find(':'))))
            return invalid(
                "target", "the host must be an IP address or a name of two labels or more");
    }
    return {};
}

Result<> fit_dns(const pb::DnsSettings& dns)
{
    static constexpr std::array<std::string_view, 20> rcodes = {"BADALG", "BADCOOKIE", "BADKEY",
        "BADMODE", "BADNAME", "BADSIG", "BADTIME", "BADTRUNC", "BADVERS", "FORMERR", "NOERROR",
        "NOTAUTH", "NOTIMP", "NOTZONE", "NXDOMAIN", "NXRRSET", "REFUSED", "SERVFAIL", "YXDOMAIN",
        "YXRRSET"};
    if (!is_host(dns.server()))
        return invalid(
            "settings.dns.server", "must be an IP address or a host name of two labels or more");
    for (int i = 0; i < dns.validrcodes_size(); ++i)
        if (std::find(rcodes.begin(), rcodes.end(), dns.validrcodes(i)) == rcodes.end())
            return invalid(fmt::format("settings.dns.validRCodes[{}]", i), "unknown response code");
    return {};
}

Result<> fit_http(const pb::HttpSettings& http)
{
    for (int i = 0; i < http.validstatuscodes_size(); ++i)
        if (http.validstatuscodes(i) < 100 || http.validstatuscodes(i) > 599)
            return invalid(fmt::format("settings.http.validStatusCodes[{}]", i),
                "must be between 100 and 599");
    for (int i = 0; i < http.validhttpversions_size(); ++i) {
        const std::string& version = http.validhttpversions(i);
        const bool digits =
            version.size() == 6 || (version.size() == 8 && version[6] == '.' &&
                                       std::isdigit(static_cast<unsigned char>(version[7])));
        if (!version.starts_with("HTTP/") || !digits ||
            !std::isdigit(static_cast<unsigned char>(version[5])))
            return invalid(fmt::format("settings.http.validHTTPVersions[{}]", i),
                "must be HTTP/ and a version");
    }
    if (http.cachebustingqueryparamname().size() > 128 ||
        has_control(http.cachebustingqueryparamname()))
        return invalid("settings.http.cacheBustingQueryParamName",
            "must be at most 128 bytes without control characters");
    return {};
}

Result<> fit_source(std::string_view kind, const std::string& source)
{
    if (source.empty() || is_ip_literal(source))
        return {};
    return invalid(fmt::format("settings.{}.sourceIpAddress", kind), "must be an IP address");
}

Result<> fit_settings(const pb::Check& check)
{
    const pb::CheckSettings& settings = check.settings();
    Result<> fits;
    if (settings.has_dns()) {
        fits = fit_source("dns", settings.dns().sourceipaddress());
        if (fits)
            fits = fit_dns(settings.dns());
    } else if (settings.has_http()) {
        fits = fit_http(settings.http());
    } else if (settings.has_ping()) {
        fits = fit_source("ping", settings.ping().sourceipaddress());
    } else if (settings.has_tcp()) {
        fits = fit_source("tcp", settings.tcp().sourceipaddress());
    }
    return fits;
}

/// The judgement of the code that will run the check: all its problems in one message. Those of
/// the target come last.
Result<> fit_checker(const pb::Check& check, bool of_target)
{
    std::string all;
    for (const Error& problem : checkers::validate(check)) {
        if ((problem.reason == "bad_target") != of_target)
            continue;
        if (check.settings().has_tcp() && problem.reason == "bad_regex")
            continue;  // any bytes are taken there: such a check fails, saying why (spec 04 §2.9)
        all += (all.empty() ? "" : "; ") + problem.message;
    }
    return all.empty() ? Result<>{} : Error{"invalid", all};
}

}  // namespace

Range frequency_range(std::string_view kind, bool extended)
{
    if (kind == "traceroute")
        return {120'000, 3'600'000};
    if (kind == "scripted" || kind == "browser" || kind == "multihttp")
        return {60'000, 3'600'000};
    return {1'000, of_contract(kind) && !extended ? 120'000 : 3'600'000};
}

Range timeout_range(std::string_view kind, bool extended)
{
    if (kind == "traceroute")
        return {30'000, 30'000};
    if (kind == "scripted" || kind == "browser" || kind == "multihttp")
        return {1'000, 180'000};
    return {1'000, of_contract(kind) && !extended ? 10'000 : 60'000};
}

Result<> fit_labels(const google::protobuf::RepeatedPtrField<pb::Label>& labels, std::size_t most,
    const Judgement& judgement)
{
    using Reserved = config::ControlConfig::Reserved;
    const std::size_t longest = longest_label(judgement.extended);
    const Reserved reserved = judgement.config.reserved_labels;
    const bool refuses_reserved =
        reserved == Reserved::always ||
        (reserved == Reserved::unprefixed_only && judgement.labels_unprefixed);
    if (static_cast<std::size_t>(labels.size()) > most)
        return invalid("labels", "must be at most {}", most);
    std::set<std::string> names;
    for (int i = 0; i < labels.size(); ++i) {
        const std::string& name = labels[i].name();
        const std::string& value = labels[i].value();
        const std::string path = fmt::format("labels[{}]", i);
        const bool plain = name.find_first_not_of(
                               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                           std::string::npos;
        if (name.empty() || name.size() > longest || !plain)
            return invalid(path + ".name", "must be 1 to {} of A-Z a-z 0-9 _", longest);
        if (name.starts_with("__"))
            return invalid(path + ".name", "must not begin with __");
        if (refuses_reserved && is_reserved_label(name))
            return invalid(path + ".name", "reserved");
        if (!names.insert(name).second)
            return invalid(path + ".name", "is there twice");
        if (value.empty() || value.size() > longest || !text::is_utf8(value) || has_control(value))
            return invalid(
                path + ".value", "must be 1 to {} bytes without control characters", longest);
    }
    return {};
}

Result<> fit(const pb::Check& check, std::string_view folder_uid, const Judgement& judgement)
{
    if (check.probes().empty())
        return invalid("probes", "at least one probe is required");
    for (int i = 0; i < check.probes_size(); ++i)
        if (check.probes(i) < 1)
            return invalid(fmt::format("probes[{}]", i), "invalid id");
    if (auto fits = fit_text("target", check.target()); !fits)
        return fits;
    if (auto fits = fit_text("job", check.job()); !fits)
        return fits;
    const auto kind = checkers::settings_name(check.settings());
    if (const auto known = checkers::kind_of(check.settings());
        !known && known.error().reason != "not_supported")
        return invalid("settings", "exactly one kind is required");
    const auto& enabled = judgement.config.enabled_kinds;
    if (std::find(enabled.begin(), enabled.end(), kind) == enabled.end())
        return invalid(fmt::format("settings.{}", kind), "not supported");
    if (auto fits = fit_times(check, kind, judgement.extended); !fits)
        return fits;
    if (auto fits = fit_sensitivity(
            check.alertsensitivity(), judgement.config.allow_custom_alert_sensitivity);
        !fits)
        return fits;
    if (auto fits = fit_labels(
            check.labels(), static_cast<std::size_t>(most_metric_labels(judgement)), judgement);
        !fits)
        return fits;
    if (folder_uid.size() > 128)
        return invalid("folderUid", "must be at most 128 bytes");
    if (auto fits = fit_settings(check); !fits)
        return fits;
    if (auto fits = fit_checker(check, false); !fits)
        return fits;
    if (auto fits = fit_target(check, kind); !fits)
        return fits;
    return fit_checker(check, true);
}

void normalise(pb::Check& check)
{
    const std::set<std::int64_t> probes{check.probes().begin(), check.probes().end()};
    check.mutable_probes()->Assign(probes.begin(), probes.end());
    if (check.alertsensitivity().empty())
        check.set_alertsensitivity("none");
    if (check.settings().has_dns() && check.settings().dns().port() == 0)
        check.mutable_settings()->mutable_dns()->set_port(53);
}

bool has_control(std::string_view text)
{
    return std::any_of(text.begin(), text.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::span<const std::string_view> reserved_labels()
{
    static constexpr std::array<std::string_view, 30> names = {"check", "check_name", "cipher",
        "config_version", "execution_id", "fingerprint_sha256", "frequency", "geohash", "instance",
        "issuer", "job", "le", "method", "name", "phase", "probe", "probe_success", "proto",
        "rating", "result", "scenario", "serialnumber", "sm_region", "source", "status", "subject",
        "subjectalternative", "tls_version", "url", "version"};
    return names;
}

bool is_reserved_label(std::string_view name)
{
    const auto names = reserved_labels();
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::int64_t most_metric_labels(const Judgement& judgement)
{
    constexpr std::int64_t of_agents = 9;
    return judgement.extended ? judgement.max_metric_labels - of_agents - of_probe
                              : most_of_contract;
}

std::int64_t most_log_labels(const Judgement& judgement)
{
    constexpr std::int64_t of_agents = 7;
    return judgement.extended ? judgement.max_log_labels - of_agents - of_probe : most_of_contract;
}

}  // namespace sonde::control::rules
