#include "checkers/http/proxy.h"

#include "agent/base/host_port.h"

namespace sonde::checkers::http {

std::string Proxy::text_at(std::string_view host) const
{
    return fmt::format("{}://{}:{}", url.https ? "https" : "http", bracketed(host), url.port);
}

Result<Proxy> parse_proxy(std::string_view text)
{
    Proxy proxy;
    std::string without{text};
    const auto start = text.find("://");
    const auto end = start == std::string_view::npos ? 0 : text.find_first_of("/?#", start + 3);
    const auto at = end == 0 ? std::string_view::npos : text.substr(0, end).rfind('@');
    if (at != std::string_view::npos) {
        const auto user_info = text.substr(start + 3, at - start - 3);
        const auto colon = user_info.find(':');
        proxy.authorized = true;
        proxy.username = percent_decode(user_info.substr(0, colon));
        if (colon != std::string_view::npos)
            proxy.password = percent_decode(user_info.substr(colon + 1));
        without.erase(start + 3, at - start - 2);
    }
    // The text itself is not repeated: it may hold a password.
    if (start == std::string_view::npos)
        return error("bad_value", "is not an http or https URL");
    auto url = parse_url(without);
    if (!url || !is_host(url->host, true))
        return error("bad_value", "is not an http or https URL with a host");
    proxy.url = std::move(*url);
    return proxy;
}

}  // namespace sonde::checkers::http
