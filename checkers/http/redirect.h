#pragma once

#include "checkers/http/http.h"
#include "checkers/http/response.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace sonde::checkers::http {

/// What the next request of a chain looks like; changed by each redirect that is followed. No I/O
/// (spec 02 §2.7).
class Chain {
public:
    Chain(const Settings& settings, Url first);

    const Url& url() const { return url_; }
    const std::string& method() const { return method_; }
    const std::string& body() const { return body_; }
    std::string host_header() const;

    /// Headers of the next request, those of the probe included.
    std::vector<Header> headers() const;
    /// The user's cookies that no response has replaced; those of responses are in the jar.
    std::string cookies() const;
    /// Name to send and verify on the next connection (spec 02 §1.8.3).
    std::string tls_name() const;

    /// Goes on to the next hop. `location` is resolved already.
    void follow(const ResponseHead& from, Url location, bool absolute);

private:
    bool same_origin_as_first() const;

    const Settings& settings_;
    Url first_;
    Url url_;
    std::string method_;
    std::string body_;
    std::string referer_;
    bool body_dropped_ = false;
    bool left_ = false;      ///< the original host: credentials stay behind
    bool user_host_ = true;  ///< the user's Host header still counts
    std::set<std::string> replaced_cookies_;
};

bool is_redirect(const ResponseHead& head);

/// Whether `host` is `original` or below it; addresses only when equal.
bool is_same_or_below(std::string_view host, std::string_view original);

}  // namespace sonde::checkers::http
