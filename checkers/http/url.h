#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace sonde::checkers::http {

/// An http or https URL taken apart (RFC 3986), without user information and fragment.
struct Url {
    bool https = false;
    std::string host;         ///< without brackets, as written
    std::uint16_t port = 80;  ///< effective
    bool port_written = false;
    std::string path = "/";  ///< what is not allowed in one is percent-encoded
    std::string query;       ///< with its "?", byte for byte; may be empty

    std::string authority() const;  ///< host[:port] as written; IPv6 in brackets
    std::string request_target() const { return path + query; }
    std::string text() const;  ///< the whole URL
    /// The same with another host: for logs, which show the address asked.
    std::string text_at(std::string_view other_host) const;
};

/// An IPv6 address in brackets, all else as it is.
std::string bracketed(std::string_view host);

/// @return Error "bad_target" that says what is wrong with the text.
Result<Url> parse_url(std::string_view text);

/// Resolves a reference against `base` (RFC 3986 §5.2).
/// @return Error "http_request"; its cause is "elsewhere" when the reference is well-formed, but
/// has no host or another scheme than http and https.
Result<Url> resolve(const Url& base, std::string_view reference);

/// "mailto:a" has one, "//host/?u=http://b" has none.
bool has_scheme(std::string_view reference);

/// Adds a query parameter; earlier ones of the name go. All other bytes stay.
void set_query_parameter(Url& url, std::string_view name, std::string_view value);

/// Undoes percent-encoding; what is no escape stays.
std::string percent_decode(std::string_view text);

/// Percent-encoded for a query: all but letters, digits and -._~.
std::string percent_encode(std::string_view text);

}  // namespace sonde::checkers::http
