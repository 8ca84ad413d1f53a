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
Result<std::vector<Header>> parse_headers(
    const google::protobuf::RepeatedPtrField<std::string>& wire)
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
            has_control(value))
            return error("bad_value", "settings.http.headers[{}]: is not \"Name: value\"", i);
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

Result<std::vector<HeaderRule>> parse_rules(
    const google::protobuf::RepeatedPtrField<pb::HeaderMatch>& wire, std::string_view path)
{
    std::vector<HeaderRule> rules;
    for (const pb::HeaderMatch& match : wire) {
        auto pattern = Pattern::compile(match.regexp());
        if (!pattern)
            return error(
                "bad_regex", "{}[{}].regexp: {}", path, rules.size(), pattern.error().message);
        rules.push_back({match.header(), std::move(*pattern), match.allowmissing()});
    }
    return rules;
}

/// Settings of the schema that this version does not honour; refused, never ignored.
Result<> refuse_unsupported(const pb::HttpSettings& wire)
{
    const auto refuse = [](std::string_view name) {
        return error("not_supported", "settings.http.{}: not supported yet", name);
    };
    if (!wire.proxyurl().empty())
        return refuse("proxyURL");
    if (wire.proxyconnectheaders_size() > 0)
        return refuse("proxyConnectHeaders");
    if (wire.has_oauth2config())
        return refuse("oauth2Config");
    if (wire.secretmanagerenabled())
        return refuse("secretManagerEnabled");
    return {};
}

Result<> parse_patterns_into(Settings& settings, const pb::HttpSettings& wire)
{
    auto forbidden =
        parse_patterns(wire.failifbodymatchesregexp(), "settings.http.failIfBodyMatchesRegexp");
    if (!forbidden)
        return forbidden.error();
    auto required = parse_patterns(
        wire.failifbodynotmatchesregexp(), "settings.http.failIfBodyNotMatchesRegexp");
    if (!required)
        return required.error();
    auto present =
        parse_rules(wire.failifheadermatchesregexp(), "settings.http.failIfHeaderMatchesRegexp");
    if (!present)
        return present.error();
    auto absent = parse_rules(
        wire.failifheadernotmatchesregexp(), "settings.http.failIfHeaderNotMatchesRegexp");
    if (!absent)
        return absent.error();
    settings.body_forbidden = std::move(*forbidden);
    settings.body_required = std::move(*required);
    settings.header_forbidden = std::move(*present);
    settings.header_required = std::move(*absent);
    return {};
}

std::string authorization(const pb::HttpSettings& wire)
{
    if (wire.has_basicauth())
        return "Basic " +
               text::base64(wire.basicauth().username() + ':' + wire.basicauth().password());
    return wire.bearertoken().empty() ? "" : "Bearer " + wire.bearertoken();
}

}  // namespace

const std::string* Settings::find_header(std::string_view name) const
{
    const auto found = std::find_if(headers.begin(), headers.end(),
        [&](const Header& header) { return text::lower(header.first) == text::lower(name); });
    return found == headers.end() ? nullptr : &found->second;
}

Result<Settings> parse_settings(const pb::Check& check)
{
    const pb::HttpSettings& wire = check.settings().http();
    if (auto honoured = refuse_unsupported(wire); !honoured)
        return honoured.error();
    Settings settings;
    auto target = parse_url(check.target());
    if (!target)
        return error("bad_target", "target: {}", target.error().message);
    if (!is_host(target->host, true))
        return error(
            "bad_target", "target: \"{}\" is not a host name or an IP address", target->host);
    settings.target = std::move(*target);
    const auto ip = parse_ip_version(wire.ipversion(), "settings.http.ipVersion");
    if (!ip)
        return ip.error();
    settings.ip = *ip;
    if (!pb::HttpMethod_IsValid(wire.method()))
        return error(
            "bad_value", "settings.http.method: {} is no method", static_cast<int>(wire.method()));
    settings.method = pb::HttpMethod_Name(wire.method());
    auto headers = parse_headers(wire.headers());
    if (!headers)
        return headers.error();
    settings.headers = std::move(*headers);
    settings.body = wire.body();
    settings.follow_redirects = !wire.nofollowredirects();
    settings.tls = parse_tls(wire.tlsconfig());
    settings.server_name = wire.tlsconfig().servername();
    settings.authorization = authorization(wire);
    settings.fail_if_ssl = wire.failifssl();
    settings.fail_if_not_ssl = wire.failifnotssl();
    settings.valid_status_codes.assign(
        wire.validstatuscodes().begin(), wire.validstatuscodes().end());
    settings.valid_versions.assign(
        wire.validhttpversions().begin(), wire.validhttpversions().end());
    if (!pb::CompressionAlgorithm_IsValid(wire.compression()))
        return error("bad_value", "settings.http.compression: {} is unknown",
            static_cast<int>(wire.compression()));
    settings.compression = Compression{static_cast<int>(wire.compression())};
    settings.cache_busting_parameter = wire.cachebustingqueryparamname();
    if (auto parsed = parse_patterns_into(settings, wire); !parsed)
        return parsed.error();
    return settings;
}

}  // namespace sonde::checkers::http
