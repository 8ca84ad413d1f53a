#include "agent/base/host_port.h"
#include "agent/base/text.h"
#include "checkers/http/http.h"
#include "checkers/settings_parts.h"

#include <algorithm>
#include <array>

namespace sonde::checkers::http {
namespace {

constexpr std::string_view reserved_header = "x-sm-id";

bool is_token(std::string_view name)
{
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view value)
{
    return std::any_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

/// "Name: value" texts to headers: of equal names the last one counts (spec 02 §2.4).
std::vector<Header> parse_headers(const google::protobuf::RepeatedPtrField<std::string>& wire,
    std::string_view path, Problems& problems)
{
    static constexpr std::array<std::string_view, 4> not_theirs = {
        "content-length", "transfer-encoding", "trailer", reserved_header};
    std::vector<Header> headers;
    for (int i = 0; i < wire.size(); ++i) {
        const std::string_view line = wire[i];
        const auto colon = line.find(':');
        const auto value =
            colon == std::string_view::npos ? "" : text::trim(line.substr(colon + 1));
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) ||
            has_control(value)) {
            problems.add(error("bad_value", "{}[{}]: is not \"Name: value\"", path, i));
            continue;
        }
        const std::string name{line.substr(0, colon)};
        const auto same = [&](const Header& h) {
            return text::lower(h.first) == text::lower(name);
        };
        std::erase_if(headers, same);
        if (std::find(not_theirs.begin(), not_theirs.end(), text::lower(name)) == not_theirs.end())
            headers.emplace_back(name, value);
    }
    return headers;
}

std::vector<HeaderRule> parse_rules(const google::protobuf::RepeatedPtrField<pb::HeaderMatch>& wire,
    std::string_view path, Problems& problems)
{
    std::vector<HeaderRule> rules;
    for (int i = 0; i < wire.size(); ++i) {
        auto pattern = Pattern::compile(wire[i].regexp());
        if (pattern)
            rules.push_back({wire[i].header(), std::move(*pattern), wire[i].allowmissing()});
        else
            problems.add_pattern(
                error("bad_regex", "{}[{}].regexp: {}", path, i, pattern.error().message),
                wire[i].regexp());
    }
    return rules;
}

void parse_patterns_into(Settings& settings, const pb::HttpSettings& wire, Problems& problems)
{
    settings.body_forbidden = parse_patterns(
        wire.failifbodymatchesregexp(), "settings.http.failIfBodyMatchesRegexp", problems);
    settings.body_required = parse_patterns(
        wire.failifbodynotmatchesregexp(), "settings.http.failIfBodyNotMatchesRegexp", problems);
    settings.header_forbidden = parse_rules(
        wire.failifheadermatchesregexp(), "settings.http.failIfHeaderMatchesRegexp", problems);
    settings.header_required = parse_rules(wire.failifheadernotmatchesregexp(),
        "settings.http.failIfHeaderNotMatchesRegexp", problems);
}

std::optional<Proxy> parse_proxy_of(const pb::HttpSettings& wire, Problems& problems)
{
    if (wire.proxyurl().empty()) {
        if (wire.proxyconnectheaders_size() > 0)
            problems.add(error("bad_value", "settings.http.proxyConnectHeaders: needs proxyURL"));
        return std::nullopt;
    }
    auto proxy = parse_proxy(wire.proxyurl());
    if (!proxy) {
        problems.add(error("bad_value", "settings.http.proxyURL: {}", proxy.error().message));
        return std::nullopt;
    }
    proxy->connect_headers =
        parse_headers(wire.proxyconnectheaders(), "settings.http.proxyConnectHeaders", problems);
    return std::move(*proxy);
}

/// A target without HTTP's schemes is a host; see parse_url().
Url parse_target(const std::string& text, Problems& problems)
{
    auto target = parse_url(text);
    if (!target)
        problems.add(error("bad_target", "target: {}", target.error().message));
    else if (!is_host(target->host, true))
        problems.add(error(
            "bad_target", "target: \"{}\" is not a host name or an IP address", target->host));
    else
        return std::move(*target);
    return {};
}

}  // namespace

std::string Settings::authorization() const
{
    if (basic_auth)
        return "Basic " + text::base64(basic_username + ':' + basic_password);
    return bearer_token.empty() ? "" : "Bearer " + bearer_token;
}

const std::string* Settings::find_header(std::string_view name) const
{
    const auto found = std::find_if(headers.begin(), headers.end(),
        [&](const Header& header) { return text::lower(header.first) == text::lower(name); });
    return found == headers.end() ? nullptr : &found->second;
}

Settings parse_settings(const pb::Check& check, Problems& problems)
{
    const pb::HttpSettings& wire = check.settings().http();
    Settings settings;
    settings.target = parse_target(check.target(), problems);
    if (wire.has_oauth2config())
        problems.add(error("not_supported", "settings.http.oauth2Config: not supported"));
    settings.ip = parse_ip_version(wire.ipversion(), "settings.http.ipVersion", problems);
    if (!pb::HttpMethod_IsValid(wire.method()))
        problems.add(error(
            "bad_value", "settings.http.method: {} is no method", static_cast<int>(wire.method())));
    settings.method = pb::HttpMethod_Name(wire.method());
    settings.headers = parse_headers(wire.headers(), "settings.http.headers", problems);
    settings.body = wire.body();
    settings.follow_redirects = !wire.nofollowredirects();
    settings.tls = parse_tls(wire.tlsconfig());
    settings.server_name = wire.tlsconfig().servername();
    settings.basic_auth = wire.has_basicauth();
    settings.basic_username = wire.basicauth().username();
    settings.basic_password = wire.basicauth().password();
    settings.bearer_token = wire.bearertoken();
    settings.secrets = wire.secretmanagerenabled();
    settings.proxy = parse_proxy_of(wire, problems);
    settings.fail_if_ssl = wire.failifssl();
    settings.fail_if_not_ssl = wire.failifnotssl();
    settings.valid_status_codes.assign(
        wire.validstatuscodes().begin(), wire.validstatuscodes().end());
    settings.valid_versions.assign(
        wire.validhttpversions().begin(), wire.validhttpversions().end());
    if (!pb::CompressionAlgorithm_IsValid(wire.compression()))
        problems.add(error("bad_value", "settings.http.compression: {} is unknown",
            static_cast<int>(wire.compression())));
    settings.compression = Compression{static_cast<int>(wire.compression())};
    settings.cache_busting_parameter = wire.cachebustingqueryparamname();
    parse_patterns_into(settings, wire, problems);
    return settings;
}

}  // namespace sonde::checkers::http
