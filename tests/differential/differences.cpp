#include "tests/differential/differences.h"

namespace sonde::tests {
namespace {

constexpr std::string_view success = "probe_success";
constexpr std::string_view body_length = "probe_http_uncompressed_body_length";
constexpr std::string_view regex = "probe_failed_due_to_regex";
constexpr std::string_view last_chain = "probe_ssl_last_chain_expiry_timestamp_seconds";
constexpr std::string_view hash = "probe_ip_addr_hash";
constexpr std::string_view sent_chain =
    "probe_ssl_earliest_cert_expiry probe_ssl_last_chain_info probe_tls_version_info";

/// The zero time of Go.
constexpr std::string_view no_time = "-62135596800";

constexpr auto no_deflate = "DEV-04: raw deflate only";
constexpr auto no_body = "DEV-05: an empty body is decoded";
constexpr auto closed_body = "DEV-03: the body of a redirect that is not followed is closed unread";
constexpr auto unread = "DEV-28: a body that cannot be read counts as a pattern's failure";
constexpr auto by_address = "DEV-02: cookies of the first hop are kept under its address";
constexpr auto no_response = "spec 02 2.6: the transfer ends when reading fails; theirs is that of "
                             "a response, which there is not";
constexpr auto refused_before = "spec 02 7.5, V9: no such check is run; theirs takes the scheme "
                                "for a host and looks it up";
constexpr auto zero_time = "DEV-10: nothing was verified";
constexpr auto connected = "DEV-09: TCP did connect";
constexpr auto shown = "DEV-11: what the peer sent is told although it is refused";
constexpr auto small_buffer = "DEV-14: a buffer of 512 bytes";
constexpr auto any_message = "DEV-15: a message with the right id is the answer, whatever it is";
constexpr auto not_connected = "DEV-35, withdrawn: later revisions have it once connected";
constexpr auto agent_hash = "DEV-23, withdrawn: the agent's own ping hashes 16 bytes";

constexpr Difference all[] = {
    {Program::http, "H15", success, "1", "0", no_deflate},
    {Program::http, "H15", body_length, "110", "0", no_deflate},
    {Program::http, "H21", success, "1", "0", no_body},
    {Program::http, "H25", success, "1", "0", closed_body},
    {Program::http, "H25", regex, "0", "1", closed_body},
    {Program::http, "H25 H25-fails", body_length, "7", "0", closed_body},
    {Program::http, "DEV-28", regex, "0", "1", unread},
    {Program::http, "H34", success, "1", "0", by_address},
    {Program::http, "H34", "probe_http_status_code", "200", "403", by_address},
    {Program::http, "H34", "probe_http_content_length", "0", "2", by_address},
    {Program::http, "H34", body_length, "0", "2", by_address},
    {Program::http, "H75 H85 H86", "probe_http_duration_seconds{transfer}", ">0", "0", no_response},
    {Program::http, "H64",
        "probe_dns_lookup_time_seconds probe_ip_addr_hash probe_ip_protocol "
        "probe_http_duration_seconds{resolve}",
        "absent", "present", refused_before},
    {Program::https, "H37 H39", last_chain, "absent", no_time, zero_time},
    {Program::https, "H38 H41 expired plain-port", "probe_http_duration_seconds{connect}", ">0",
        "0", connected},
    {Program::https, "H38 H41 H42-untrusted expired", sent_chain, "present", "absent", shown},
    {Program::dns, "D19-UDP", "probe_success probe_dns_query_succeeded", "1", "0", small_buffer},
    {Program::dns, "D19-UDP", "probe_dns_answer_rrs", "4", "0", small_buffer},
    {Program::dns, "D21-UDP D22-UDP",
        "probe_success probe_dns_query_succeeded probe_dns_answer_rrs", "0", "1", any_message},
    {Program::tcp, "T2 T3 T11-V4 T25", regex, "absent", "0", not_connected},
    {Program::tcp, "T3", sent_chain, "present", "absent", shown},
    {Program::tcp, "T21", last_chain, "absent", no_time, zero_time},
    {Program::ping, "P2 P9 P12 from-another-address", hash, "99635399", "3668918509", agent_hash},
};

}  // namespace

std::span<const Difference> allowed_differences()
{
    return all;
}

}  // namespace sonde::tests
