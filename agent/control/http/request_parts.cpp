#include "agent/control/http/request_parts.h"

#include "agent/base/text.h"
#include "agent/control/secrets.h"

#include <charconv>

namespace sonde::control {
namespace {

using boost::beast::http::field;

std::string_view view(boost::beast::string_view text)
{
    return {text.data(), text.size()};
}

std::string percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned byte = 0;
        const bool escape =
            text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
                text.data() + i + 3;
        out += escape ? static_cast<char>(byte) : text[i];
        i += escape ? 2 : 0;
    }
    return out;
}

std::string form_decoded(std::string_view text)
{
    std::string spaced{text};
    for (char& c : spaced)
        c = c == '+' ? ' ' : c;
    return percent_decoded(spaced);
}

/// The request's target without scheme and authority, which a proxy may send (RFC 9112 §3.2.2).
std::string_view target_of(const net::HttpRequest& request)
{
    std::string_view target = view(request.target());
    const auto scheme = target.find("://");
    if (target.starts_with('/') || scheme == std::string_view::npos)
        return target;
    const auto path = target.find_first_of("/?", scheme + 3);
    return path == std::string_view::npos ? std::string_view{"/"} : target.substr(path);
}

bool is_utf8_charset(std::string_view parameter)
{
    constexpr std::string_view charset = "charset=";
    const std::string lower = text::lower(text::trim(parameter));
    if (!lower.starts_with(charset))
        return true;  // another parameter
    const std::string_view value = std::string_view{lower}.substr(charset.size());
    return value == "utf-8" || value == "\"utf-8\"";
}

}  // namespace

std::vector<std::string> path_of(const net::HttpRequest& request)
{
    const std::string_view target = target_of(request);
    std::vector<std::string> out;
    for (const auto part : text::split(target.substr(0, target.find('?')), '/'))
        if (!part.empty())
            out.push_back(percent_decoded(part));
    return out;
}

std::map<std::string, std::string> query_of(const net::HttpRequest& request)
{
    const std::string_view target = target_of(request);
    std::map<std::string, std::string> out;
    const auto question = target.find('?');
    if (question == std::string_view::npos)
        return out;
    for (const auto part : text::split(target.substr(question + 1), '&')) {
        const auto equals = part.find('=');
        const bool has_value = equals != std::string_view::npos;
        if (!part.empty())
            out[form_decoded(part.substr(0, equals))] =
                has_value ? form_decoded(part.substr(equals + 1)) : "";
    }
    return out;
}

std::optional<std::int64_t> parse_id(std::string_view text)
{
    std::int64_t id = 0;
    const bool digits = !text.empty() && text.size() <= 19 &&
                        text.find_first_not_of("0123456789") == std::string_view::npos;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), id);
    return digits && failure == std::errc{} ? std::optional{id} : std::nullopt;
}

std::string bearer_token(const net::HttpRequest& request)
{
    if (request.count(field::authorization) != 1)
        return {};
    const std::string_view value = text::trim(view(request[field::authorization]));
    const auto blank = value.find(' ');
    if (blank == std::string_view::npos || text::lower(value.substr(0, blank)) != "bearer")
        return {};
    return std::string{text::trim(value.substr(blank))};
}

bool acceptable_media(const net::HttpRequest& request)
{
    const std::string_view encoding = view(request[field::content_encoding]);
    if (!encoding.empty() && text::lower(encoding) != "identity")
        return false;
    if (request.count(field::content_type) == 0)
        return true;
    const auto parts = text::split(view(request[field::content_type]), ';');
    if (text::lower(text::trim(parts.front())) != "application/json")
        return false;
    for (const auto parameter : parts)
        if (!is_utf8_charset(parameter))
            return false;
    return true;
}

std::string request_id_of(const net::HttpRequest& request)
{
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const std::string_view given = view(request["X-Request-Id"]);
    const bool usable = !given.empty() && given.size() <= 128 &&
                        given.find_first_not_of(allowed) == std::string_view::npos;
    return usable ? std::string{given} : sha256_hex(new_probe_token()).substr(0, 32);
}

std::string logged(const net::HttpRequest& request, std::string_view header)
{
    constexpr std::size_t longest = 64;
    return text::shorten(text::repair_utf8(view(request[header])), longest);
}

}  // namespace sonde::control
