#pragma once

#include <algorithm>
#include <string_view>

namespace sonde::checkers {

/// A reason code: what went wrong, as dashboards and scripts see it (spec 02 §1.10; a closed list).
struct Reason {
    std::string_view code;
    std::string_view layer;  ///< where: "config", "dns", "network", "tls", "http", …
    std::string_view text;   ///< for people
};

inline constexpr Reason reasons[] = {
    {"bad_target", "config", "target cannot be used"},
    {"bad_source_address", "config", "source address is not an IP address"},
    {"bad_regex", "config", "pattern does not compile"},
    {"bad_value", "config", "setting has no usable value"},
    {"not_supported", "config", "setting is not supported yet"},
    {"unknown_kind", "config", "no kind of check this agent knows"},
    {"resolve", "name", "no usable address for host"},
    {"tls_config", "config", "TLS settings cannot be used"},
    {"secret", "config", "secret could not be read"},
    {"connect", "network", "connection failed"},
    {"tls", "tls", "TLS handshake failed"},
    {"timeout", "deadline", "deadline reached"},
    {"http_request", "http", "request failed before a response arrived"},
    {"http_status", "http", "status not accepted"},
    {"http_header_present", "http", "header value matches a forbidden pattern"},
    {"http_header_absent", "http", "no value of the header matches"},
    {"http_header_missing", "http", "required header is missing"},
    {"http_body_present", "http", "body matches a forbidden pattern"},
    {"http_body_absent", "http", "body lacks a required pattern"},
    {"http_body_read", "http", "body could not be read to its end"},
    {"http_body_too_large", "http", "body exceeds the limit"},
    {"http_decompress", "http", "body is not valid for the configured compression"},
    {"http_version", "http", "HTTP version not accepted"},
    {"http_ssl", "http", "final response came over TLS"},
    {"http_not_ssl", "http", "final response did not come over TLS"},
    {"dns_query", "dns", "query could not be built"},
    {"dns_response", "dns", "response could not be read"},
    {"dns_rcode", "dns", "response code not accepted"},
    {"dns_rcode_name", "dns", "unknown name in the accepted-rcode list"},
    {"dns_rr_forbidden", "dns", "a record matches a forbidden pattern"},
    {"dns_rr_required", "dns", "a record does not match a required pattern"},
    {"dns_rr_none", "dns", "pattern required but section is empty"},
    {"socket", "network", "cannot open or set up the socket"},
    {"icmp_send", "network", "cannot send echo request"},
    {"icmp_loss", "network", "too few replies"},
    {"tcp_expect", "tcp", "connection ended before a line matched"},
    {"tcp_read", "network", "read failed"},
    {"tcp_write", "network", "write failed"},
    {"tcp_line_too_long", "tcp", "line exceeds 65536 bytes"},
    {"internal", "agent", "the agent failed; see its log"},
};

/// The row of `code`; every code that a checker uses has one (a test sees to it).
constexpr const Reason* find_reason(std::string_view code)
{
    const auto* const row = std::find_if(
        std::begin(reasons), std::end(reasons), [&](const Reason& r) { return r.code == code; });
    return row == std::end(reasons) ? nullptr : row;
}

}  // namespace sonde::checkers
