#pragma once

#include "agent/net/resolver.h"
#include "agent/net/tls.h"
#include "checkers/check.h"
#include "checkers/expectations.h"
#include "checkers/http/body.h"
#include "checkers/http/proxy.h"
#include "checkers/http/url.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sonde::checkers::http {

using Header = std::pair<std::string, std::string>;

/// A pattern for the values of a header (spec 02 §2.9).
struct HeaderRule {
    std::string name;
    Pattern pattern;
    bool allow_missing = false;
};

struct Settings {
    Url target;
    net::IpVersion ip = net::IpVersion::any;
    std::string method = "GET";
    std::vector<Header> headers;  ///< of the user: each name once, the last one counts
    std::string body;
    bool follow_redirects = true;
    net::TlsSettings tls;
    std::string server_name;  ///< empty: host of the hop
    bool basic_auth = false;  ///< sent, also when name and password are empty
    std::string basic_username;
    std::string basic_password;
    std::string bearer_token;    ///< counts without basic_auth; empty: none
    bool secrets = false;        ///< credentials and TLS material may refer to secrets
    std::optional<Proxy> proxy;  ///< of every hop
    bool fail_if_ssl = false;
    bool fail_if_not_ssl = false;
    std::vector<int> valid_status_codes;  ///< empty: 200 to 299
    std::vector<std::string> valid_versions;
    std::vector<Pattern> body_forbidden;
    std::vector<Pattern> body_required;
    std::vector<HeaderRule> header_forbidden;
    std::vector<HeaderRule> header_required;
    Compression compression = Compression::none;
    std::string cache_busting_parameter;  ///< empty: off

    bool wants_body() const { return !body_forbidden.empty() || !body_required.empty(); }
    std::string authorization() const;  ///< value of the header; empty: none
    const std::string* find_header(std::string_view name) const;  ///< null: not set
};

/// What cannot be used goes to `problems`, with the path of the setting.
Settings parse_settings(const pb::Check& check, Problems& problems);

extern const Kind kind;

}  // namespace sonde::checkers::http
