#pragma once

#include "agent/base/error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::checkers::dns {

// Messages as bytes (RFC 1035 §4) and as text; no I/O.

/// The name on the wire for a target: escapes honoured, case kept, the root added.
/// @return Error "dns_query" when a label or the name is too long or empty.
Result<std::string> encode_name(std::string_view name);

/// in-addr.arpa or ip6.arpa name of an IP literal; nullopt for what is none.
std::optional<std::string> reverse_name(std::string_view address);

/// One question, RD set, nothing else (spec 02 §3.3). `name` is a name on the wire.
std::string build_query(std::uint16_t id, std::string_view name, std::uint16_t type);

struct Record {
    std::string owner;  ///< in presentation form
    std::uint16_t type = 0;
    std::uint16_t record_class = 0;
    std::uint32_t ttl = 0;
    std::string text;                     ///< the whole record in one line (spec 02 §3.5)
    std::optional<std::uint32_t> serial;  ///< of SOA
};

struct Question {
    std::string name;
    std::uint16_t type = 0;
    std::uint16_t question_class = 0;
};

struct Message {
    std::uint16_t id = 0;
    std::uint16_t flags = 0;
    unsigned rcode = 0;  ///< with the extended bits of an OPT record
    std::vector<Question> questions;
    std::vector<Record> answer;
    std::vector<Record> authority;
    std::vector<Record> additional;

    bool truncated() const { return (flags & 0x0200U) != 0; }
};

/// What a datagram or segment is to the query that was sent (spec 02 §3.4).
enum class Fit {
    response,   ///< accepted
    foreign,    ///< of another exchange: UDP goes on waiting, TCP fails
    too_short,  ///< not even a header: the same
    malformed,  ///< cannot be read
};

struct Reading {
    Fit fit = Fit::response;
    std::string why;  ///< of foreign and malformed
    Message message;
};

/// Reads a response to the query with `id` for `name` (on the wire) and `type`.
Reading read_response(
    std::string_view bytes, std::uint16_t id, std::string_view name, std::uint16_t type);

/// "NOERROR", "NXDOMAIN", …; "RCODE12" for what has no name.
std::string rcode_name(unsigned rcode);
/// The name in lower case, "nxdomain"; "rcode_12" for what has none (spec 02 §1.10). Loop thread
/// only.
std::string_view rcode_cause(unsigned rcode);
/// The number of a known name; nullopt: unknown (also BADVERS, spec 02 §3.4).
std::optional<unsigned> rcode_number(std::string_view name);

std::string type_name(std::uint16_t type);    ///< "A", "TYPE65280"
std::string class_name(std::uint16_t value);  ///< "IN", "CLASS255"

/// The message as dig shows it, for the log.
std::string to_text(const Message& message);

}  // namespace sonde::checkers::dns
