#include "checkers/http/redirect.h"

#include "agent/base/host_port.h"
#include "agent/base/text.h"

#include <algorithm>
#include <array>

namespace sonde::checkers::http {
namespace {

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name)
{
    return std::find(names.begin(), names.end(), text::lower(name)) != names.end();
}

constexpr std::array<std::string_view, 6> credentials = {"authorization", "proxy-authorization",
    "proxy-authenticate", "www-authenticate", "cookie", "cookie2"};
constexpr std::array<std::string_view, 4> of_body = {
    "content-type", "content-encoding", "content-language", "content-location"};

}  // namespace

bool is_redirect(const ResponseHead& head)
{
    static constexpr std::array codes{301, 302, 303, 307, 308};
    return std::find(codes.begin(), codes.end(), head.status()) != codes.end() &&
           !head.first("location").empty();
}

bool is_same_or_below(std::string_view host, std::string_view original)
{
    const std::string a = text::lower(host);
    const std::string b = text::lower(original);
    if (a == b)
        return true;
    return !is_ip_literal(a) && !is_ip_literal(b) && a.size() > b.size() && a.ends_with(b) &&
           a[a.size() - b.size() - 1] == '.';
}

Chain::Chain(const Settings& settings, Url first)
    : settings_{settings}, first_{first}, url_{std::move(first)}, method_{settings.method},
      body_{settings.body}
{}

std::string Chain::host_header() const
{
    const std::string* own = settings_.find_header("host");
    return own && user_host_ && !own->empty() ? *own : url_.authority();
}

std::vector<Header> Chain::headers() const
{
    std::vector<Header> out;
    out.emplace_back("Host", host_header());
    bool authorized = false;
    for (const auto& [name, value] : settings_.headers) {
        const std::string key = text::lower(name);
        const bool skipped = key == "host" || key == "cookie" ||
                             (left_ && contains(credentials, key)) ||
                             (body_dropped_ && contains(of_body, key));
        if (skipped)
            continue;
        authorized = authorized || (key == "authorization" && !value.empty());
        out.emplace_back(name, value);
    }
    std::string credentials_of_check = settings_.authorization();
    if (!authorized && !left_ && !credentials_of_check.empty())
        out.emplace_back("Authorization", std::move(credentials_of_check));
    if (!settings_.find_header("referer") && !referer_.empty())
        out.emplace_back("Referer", referer_);
    return out;
}

std::string Chain::cookies() const
{
    const std::string* own = settings_.find_header("cookie");
    if (!own || left_)
        return {};
    std::string out;
    for (const auto part : text::split(*own, ';')) {
        const auto cookie = text::trim(part);
        if (cookie.empty() ||
            replaced_cookies_.contains(std::string{cookie.substr(0, cookie.find('='))}))
            continue;
        out.append(out.empty() ? "" : "; ").append(cookie);
    }
    return out;
}

bool Chain::same_origin_as_first() const
{
    return url_.https == first_.https && url_.port == first_.port &&
           text::lower(url_.host) == text::lower(first_.host);
}

std::string Chain::tls_name() const
{
    if (!same_origin_as_first())
        return url_.host;
    if (!settings_.server_name.empty())
        return settings_.server_name;
    const std::string* own = settings_.find_header("host");
    if (!own || own->empty())
        return url_.host;
    if (const auto split = split_host_port(*own))
        return split->host;
    const bool in_brackets = own->starts_with('[') && own->ends_with(']');
    return in_brackets ? own->substr(1, own->size() - 2) : *own;
}

void Chain::follow(const ResponseHead& from, Url location, bool absolute)
{
    for (const std::string& cookie : from.values("set-cookie"))
        replaced_cookies_.emplace(
            text::trim(std::string_view{cookie}.substr(0, cookie.find_first_of("=;"))));
    if (from.status() <= 303) {
        if (method_ != "GET" && method_ != "HEAD")
            method_ = "GET";
        body_dropped_ = true;
        body_.clear();
    }
    const bool downgraded = url_.https && !location.https;
    referer_ = downgraded ? "" : url_.text();
    user_host_ = user_host_ && !absolute;
    left_ = left_ || downgraded || !is_same_or_below(location.host, first_.host);
    url_ = std::move(location);
}

}  // namespace sonde::checkers::http
