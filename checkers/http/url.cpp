#include "checkers/http/url.h"

#include "agent/base/host_port.h"
#include "agent/base/text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace sonde::checkers::http {
namespace {

bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool has_bad_escape(std::string_view text)
{
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
        if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2]))
            return true;
    return false;
}

bool has_control(std::string_view text)
{
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
}

void append_percent(std::string& out, char c)
{
    out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
}

/// What a path may not hold as it is, encoded; existing escapes and dot segments stay.
std::string encoded_path(std::string_view path)
{
    constexpr std::string_view allowed = "-._~!$&'()*+,;=:@/%[]";
    std::string out;
    for (const char c : path) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || allowed.find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            append_percent(out, c);
    }
    return out;
}

std::string without_dot_segments(std::string_view path)
{
    std::vector<std::string_view> kept;
    const auto segments = text::split(path, '/');
    for (std::size_t i = 1; i < segments.size(); ++i) {
        const bool last = i + 1 == segments.size();
        if (segments[i] == "..") {
            if (!kept.empty())
                kept.pop_back();
        } else if (segments[i] != ".") {
            kept.push_back(segments[i]);
            continue;
        }
        if (last)
            kept.emplace_back();
    }
    std::string out;
    for (const auto segment : kept)
        out.append("/").append(segment);
    return out.empty() ? "/" : out;
}

Error bad(std::string_view text, std::string_view what)
{
    return error("bad_target", "\"{}\": {}", text, what);
}

Result<> read_authority(Url& url, std::string_view authority, std::string_view whole)
{
    if (authority.find('@') != std::string_view::npos)
        return bad(whole, "holds a user name or password");
    std::string_view host = authority;
    std::string_view port;
    const auto colon = authority.rfind(':');
    const auto bracket = authority.rfind(']');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        host = authority.substr(0, colon);
        port = authority.substr(colon + 1);
        url.port_written = true;
    }
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed)
        host = host.substr(1, host.size() - 2);
    if (host.empty())
        return bad(whole, "has no host");
    if (host.find(':') != std::string_view::npos && (!bracketed || !is_ip_literal(host)))
        return bad(whole, "the host is not a name or an address");
    if (has_bad_escape(host) || host.find_first_of(" \"<>[]\\^`{|}") != std::string_view::npos)
        return bad(whole, "the host holds a character that no host has");
    url.host = host;
    url.port = url.https ? 443 : 80;
    if (!url.port_written)
        return {};
    if (port.empty()) {
        url.port_written = false;
        return {};
    }
    const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (failure != std::errc{} || end != port.data() + port.size() || url.port == 0)
        return bad(whole, "the port is not a number from 1 to 65535");
    return {};
}

Result<> read_path(Url& url, std::string_view rest, std::string_view whole)
{
    const auto hash = rest.find('#');
    if (hash != std::string_view::npos && has_bad_escape(rest.substr(hash)))
        return bad(whole, "the fragment has a bad percent escape");
    rest = rest.substr(0, hash);
    const auto question = rest.find('?');
    const auto path = rest.substr(0, question);
    url.query = question == std::string_view::npos ? "" : rest.substr(question);
    if (has_bad_escape(path))
        return bad(whole, "the path has a bad percent escape");
    url.path = path.empty() ? "/" : encoded_path(path);
    return {};
}

/// "https://host" gives {"https", "//host"}; no scheme: {"", text}.
std::pair<std::string, std::string_view> split_scheme(std::string_view text)
{
    const auto end = text.find_first_of(":/?#");
    if (end == std::string_view::npos || text[end] != ':' || end == 0)
        return {"", text};
    return {text::lower(text.substr(0, end)), text.substr(end + 1)};
}

}  // namespace

std::string Url::authority() const
{
    return text_at(host).substr(https ? 8 : 7, std::string::npos);
}

std::string Url::text() const
{
    return text_at(host) + request_target();
}

std::string bracketed(std::string_view host)
{
    return host.find(':') == std::string_view::npos ? std::string{host} : fmt::format("[{}]", host);
}

std::string Url::text_at(std::string_view other_host) const
{
    std::string out = https ? "https://" : "http://";
    out += bracketed(other_host);
    return port_written ? out + fmt::format(":{}", port) : out;
}

Result<Url> parse_url(std::string_view text)
{
    if (has_control(text) || text != text::trim(text))
        return bad(text, "holds white space or control characters");
    auto [scheme, rest] = split_scheme(text);
    Url url;
    if (!rest.starts_with("//")) {
        scheme = "http";  // a target without scheme is a host
        rest = text;
    } else {
        rest.remove_prefix(2);
    }
    if (scheme != "http" && scheme != "https")
        return bad(text, "the scheme is neither http nor https");
    url.https = scheme == "https";
    const auto end = rest.find_first_of("/?#");
    if (auto read = read_authority(url, rest.substr(0, end), text); !read)
        return read.error();
    if (auto read = read_path(url, end == std::string_view::npos ? "" : rest.substr(end), text);
        !read)
        return read.error();
    return url;
}

Result<Url> resolve(const Url& base, std::string_view reference)
{
    if (has_control(reference))
        return error("http_request", "Location holds control characters");
    const auto [scheme, rest] = split_scheme(reference);
    if (!scheme.empty() || reference.starts_with("//")) {
        const std::string absolute =
            scheme.empty() ? fmt::format("{}:{}", base.https ? "https" : "http", reference)
                           : std::string{reference};
        const auto elsewhere = [&](std::string_view what) {
            return Error{
                "http_request", fmt::format("Location \"{}\" {}", reference, what), "elsewhere"};
        };
        if (!scheme.empty() && scheme != "http" && scheme != "https")
            return elsewhere("is neither http nor https");
        if (!rest.starts_with("//") || rest.find_first_not_of("/?#") != 2)
            return elsewhere("has no host");
        auto url = parse_url(absolute);
        if (!url)
            return error("http_request", "Location {}", url.error().message);
        url->path = without_dot_segments(url->path);
        return *url;
    }
    Url url = base;
    const std::string_view path = reference.substr(0, reference.find_first_of("?#"));
    const std::string_view after = reference.substr(path.size());
    if (path.empty() && (after.empty() || after.starts_with('#')))
        return url;
    std::string whole{path};
    if (path.empty())
        whole = base.path;
    else if (!path.starts_with('/'))
        whole = base.path.substr(0, base.path.rfind('/') + 1) + whole;
    if (auto read = read_path(url, whole + std::string{after}, reference); !read)
        return error("http_request", "Location {}", read.error().message);
    url.path = without_dot_segments(url.path);
    return url;
}

bool has_scheme(std::string_view reference)
{
    return !split_scheme(reference).first.empty();
}

std::string percent_decode(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        const char* const digits = text.data() + i + 1;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            out += static_cast<char>(byte);
            i += 2;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string percent_encode(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') ||
                           std::string_view{"-._~"}.find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            append_percent(out, c);
    }
    return out;
}

void set_query_parameter(Url& url, std::string_view name, std::string_view value)
{
    const std::string encoded = percent_encode(name);
    std::string kept;
    if (!url.query.empty())
        for (const auto part : text::split(std::string_view{url.query}.substr(1), '&')) {
            const auto key = part.substr(0, part.find('='));
            if (part.empty() || key == name || key == encoded)
                continue;
            kept.append(kept.empty() ? "" : "&").append(part);
        }
    url.query =
        fmt::format("?{}{}{}={}", kept, kept.empty() ? "" : "&", encoded, percent_encode(value));
}

}  // namespace sonde::checkers::http
