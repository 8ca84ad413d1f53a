#pragma once

#include "agent/net/http_server.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::control {

// What a request says, part by part.

/// Segments of the path, each percent-decoded once: runs of "/" count as one, a trailing one not at
/// all, an encoded one separates nothing (spec 04 §1.1).
std::vector<std::string> path_of(const net::HttpRequest& request);

/// The query, form-decoded: "+" is a space. Of a name that comes twice the last counts.
std::map<std::string, std::string> query_of(const net::HttpRequest& request);

/// 1 to 19 digits within int64; nullopt: malformed.
std::optional<std::int64_t> parse_id(std::string_view text);

/// The token of `Authorization: Bearer TOKEN`; empty: none that can be used (spec 04 §1.3).
std::string bearer_token(const net::HttpRequest& request);

/// Whether a body is said to be JSON in UTF-8 and not encoded (spec 04 §1.4).
bool acceptable_media(const net::HttpRequest& request);

/// That of the request where it can be used, else a new one.
std::string request_id_of(const net::HttpRequest& request);

/// A header as the access log has it: not too long, in UTF-8.
std::string logged(const net::HttpRequest& request, std::string_view header);

}  // namespace sonde::control
