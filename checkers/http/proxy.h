#pragma once

#include "agent/base/error.h"
#include "checkers/http/url.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::checkers::http {

/// The proxy of a check, and what only it is told (spec 02 §2.5).
struct Proxy {
    Url url;
    std::string username;  ///< for `Proxy-Authorization: Basic`, when `authorized`
    std::string password;
    bool authorized = false;
    std::vector<std::pair<std::string, std::string>> connect_headers;  ///< of CONNECT alone

    std::string text() const { return text_at(url.host); }  ///< scheme, host, port: no credentials
    /// The same with another host: where the name has been resolved already.
    std::string text_at(std::string_view host) const;
};

/// @return Error "bad_value": no http or https URL.
Result<Proxy> parse_proxy(std::string_view text);

}  // namespace sonde::checkers::http
