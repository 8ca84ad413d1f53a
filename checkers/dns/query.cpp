#include "checkers/dns/query.h"

#include "agent/base/text.h"
#include "checkers/dns/record_text.h"

#include <boost/asio/ip/address.hpp>
#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

namespace sonde::checkers::dns {
namespace {

constexpr std::uint16_t opt_type = 41;
constexpr std::size_t header_size = 12;
constexpr std::size_t usual_text = 320;  // of a message with one answer

struct Name {
    unsigned number;
    std::string_view name;
};
constexpr std::array<Name, 20> rcodes{
    {{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"},
        {5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"}, {8, "NXRRSET"}, {9, "NOTAUTH"},
        {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADSIG"}, {17, "BADKEY"}, {18, "BADTIME"},
        {19, "BADMODE"}, {20, "BADNAME"}, {21, "BADALG"}, {22, "BADTRUNC"}, {23, "BADCOOKIE"}}};
constexpr std::array<Name, 39> types{{{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"}, {12, "PTR"},
    {13, "HINFO"}, {15, "MX"}, {16, "TXT"}, {18, "AFSDB"}, {28, "AAAA"}, {29, "LOC"}, {33, "SRV"},
    {35, "NAPTR"}, {36, "KX"}, {37, "CERT"}, {39, "DNAME"}, {41, "OPT"}, {43, "DS"}, {44, "SSHFP"},
    {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"},
    {53, "SMIMEA"}, {59, "CDS"}, {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"}, {64, "SVCB"},
    {65, "HTTPS"}, {99, "SPF"}, {108, "EUI48"}, {109, "EUI64"}, {250, "TSIG"}, {255, "ANY"},
    {256, "URI"}, {257, "CAA"}}};

template <std::size_t N>
std::optional<std::string_view> find_name(const std::array<Name, N>& table, unsigned number)
{
    const auto row =
        std::find_if(table.begin(), table.end(), [&](const Name& n) { return n.number == number; });
    return row == table.end() ? std::nullopt : std::optional{row->name};
}

void put_u16(std::string& out, unsigned value)
{
    out += static_cast<char>(value >> 8U & 0xffU);
    out += static_cast<char>(value & 0xffU);
}

/// The next character of a presentation form, `\.` and `\046` undone; `escaped` tells.
char next_character(std::string_view name, std::size_t& at, bool& escaped)
{
    const auto digit = [&](std::size_t i) {
        return i < name.size() && name[i] >= '0' && name[i] <= '9';
    };
    escaped = name[at] == '\\' && at + 1 < name.size();
    if (!escaped)
        return name[at++];
    if (digit(at + 1) && digit(at + 2) && digit(at + 3)) {
        const int value =
            (name[at + 1] - '0') * 100 + (name[at + 2] - '0') * 10 + (name[at + 3] - '0');
        at += 4;
        return static_cast<char>(value);
    }
    at += 2;
    return name[at - 1];
}

/// Reads the records of one section. @return false when one is malformed; fewer than counted are
/// all right when the message ends between two.
bool read_section(Reader& reader, std::string_view bytes, unsigned count, std::vector<Record>& into,
    unsigned& rcode)
{
    for (unsigned i = 0; i < count && !reader.at_end(); ++i) {
        const auto owner = reader.name();
        const auto type = owner ? reader.u16() : std::nullopt;
        const auto record_class = type ? reader.u16() : std::nullopt;
        const auto ttl = record_class ? reader.u32() : std::nullopt;
        const auto size = ttl ? reader.u16() : std::nullopt;
        const std::size_t from = reader.at();
        const auto raw = size ? reader.bytes(*size) : std::nullopt;
        if (!raw)
            return false;
        Record record{*owner, *type, *record_class, *ttl, {}, {}};
        if (*type == opt_type) {
            rcode |= (*ttl >> 24U) << 4U;
            record.text = opt_text(*record_class, *ttl, *raw);
        } else {
            std::uint32_t serial = 0;
            const bool known = find_name(types, *type).has_value();
            const Reader rdata{bytes, from, from + raw->size()};
            const auto data = known ? rdata_text(*type, rdata, &serial) : unknown_text(*raw);
            if (!data)
                return false;
            if (*type == 6)
                record.serial = serial;
            const std::string type_text = type_name(*type);
            const std::string class_text =
                known ? class_name(*record_class) : fmt::format("CLASS{}", *record_class);
            record.text.reserve(owner->size() + data->size() + 32);
            fmt::format_to(std::back_inserter(record.text), FMT_COMPILE("{}\t{}\t{}\t{}\t{}"),
                *owner, *ttl, class_text, type_text, *data);
        }
        into.push_back(std::move(record));
    }
    return true;
}

Reading foreign(std::string why)
{
    return {Fit::foreign, std::move(why), {}};
}

Reading malformed(std::string why)
{
    return {Fit::malformed, std::move(why), {}};
}

}  // namespace

Result<std::string> encode_name(std::string_view name)
{
    std::string wire;
    std::string label;
    auto finish_label = [&]() -> Result<> {
        if (label.empty())
            return error("dns_query", "the name \"{}\" has an empty label", name);
        if (label.size() > 63)
            return error("dns_query", "a label of \"{}\" is longer than 63 bytes", name);
        wire += static_cast<char>(label.size());
        wire += label;
        label.clear();
        return {};
    };
    for (std::size_t at = 0; at < name.size() && name != ".";) {
        bool escaped = false;
        const char c = next_character(name, at, escaped);
        if (c != '.' || escaped)
            label += c;
        else if (auto done = finish_label(); !done)
            return done.error();
    }
    if (!label.empty())
        if (auto done = finish_label(); !done)
            return done.error();
    wire += '\0';
    if (wire.size() > 255)
        return error("dns_query", "the name \"{}\" is longer than 255 bytes", name);
    return wire;
}

std::optional<std::string> reverse_name(std::string_view address)
{
    boost::system::error_code bad;
    const auto ip = boost::asio::ip::make_address(std::string{address}, bad);
    if (bad)
        return std::nullopt;
    std::string out;
    if (ip.is_v4()) {
        const auto bytes = ip.to_v4().to_bytes();
        for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
            out += fmt::format("{}.", *byte);
        return out + "in-addr.arpa.";
    }
    const auto bytes = ip.to_v6().to_bytes();
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
        out += fmt::format("{:x}.{:x}.", *byte & 15U, *byte >> 4U);
    return out + "ip6.arpa.";
}

std::string build_query(std::uint16_t id, std::string_view name, std::uint16_t type)
{
    std::string query;
    put_u16(query, id);
    put_u16(query, 0x0100);  // recursion desired
    put_u16(query, 1);
    query.append(6, '\0');
    query += name;
    put_u16(query, type);
    put_u16(query, 1);
    return query;
}

Reading read_response(
    std::string_view bytes, std::uint16_t id, std::string_view name, std::uint16_t type)
{
    if (bytes.size() < header_size)
        return {Fit::too_short, "shorter than a header", {}};
    Reader reader{bytes, 0, bytes.size()};
    Message message;
    message.id = *reader.u16();
    message.flags = *reader.u16();
    std::array<unsigned, 4> counts{};
    for (unsigned& count : counts)
        count = *reader.u16();
    if (message.id != id)
        return foreign("another id");
    if ((message.flags & 0x8000U) == 0 || (message.flags & 0x7800U) != 0)
        return foreign("not a response to a query");
    message.rcode = message.flags & 15U;
    const std::string asked = *Reader{name, 0, name.size()}.name();
    for (unsigned i = 0; i < counts[0] && !reader.at_end(); ++i) {
        const auto question = reader.name();
        const auto question_type = question ? reader.u16() : std::nullopt;
        const auto question_class = question_type ? reader.u16() : std::nullopt;
        if (!question_class)
            return malformed("the question is cut short or broken");
        if (text::lower(*question) != text::lower(asked) || *question_type != type ||
            *question_class != 1)
            return foreign("another question");
        message.questions.push_back({*question, *question_type, *question_class});
    }
    for (auto [count, section] : {std::pair{counts[1], &message.answer},
             {counts[2], &message.authority}, {counts[3], &message.additional}})
        if (!read_section(reader, bytes, count, *section, message.rcode))
            return malformed("a record is cut short or broken");
    return {Fit::response, {}, std::move(message)};
}

std::string rcode_name(unsigned rcode)
{
    const auto known = find_name(rcodes, rcode);
    return known ? std::string{*known} : fmt::format("RCODE{}", rcode);
}

std::string_view rcode_cause(unsigned rcode)
{
    static std::map<unsigned, std::string> causes;  // at most 4096: a response code has 12 bits
    std::string& cause = causes[rcode];
    if (cause.empty()) {
        const auto known = find_name(rcodes, rcode);
        cause = known ? text::lower(*known) : fmt::format("rcode_{}", rcode);
    }
    return cause;
}

std::optional<unsigned> rcode_number(std::string_view name)
{
    if (name == "NOTIMPL")
        return 4;
    const auto row =
        std::find_if(rcodes.begin(), rcodes.end(), [&](const Name& n) { return n.name == name; });
    return row == rcodes.end() ? std::nullopt : std::optional{row->number};
}

std::string type_name(std::uint16_t type)
{
    const auto known = find_name(types, type);
    return known ? std::string{*known} : fmt::format("TYPE{}", type);
}

std::string class_name(std::uint16_t value)
{
    static constexpr std::array<Name, 5> classes{
        {{1, "IN"}, {2, "CS"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}}};
    const auto known = find_name(classes, value);
    return known ? std::string{*known} : fmt::format("CLASS{}", value);
}

std::string to_text(const Message& message)
{
    std::string flags;
    for (const auto& [bit, name] :
        {std::pair{0x8000U, " qr"}, {0x0400U, " aa"}, {0x0200U, " tc"}, {0x0100U, " rd"},
            {0x0080U, " ra"}, {0x0040U, " z"}, {0x0020U, " ad"}, {0x0010U, " cd"}})
        if ((message.flags & bit) != 0)
            flags += name;
    std::string out;
    out.reserve(usual_text);
    fmt::format_to(std::back_inserter(out),
        FMT_COMPILE(";; opcode: QUERY, status: {}, id: {}\n;; flags:{}; QUERY: {}, "
                    "ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n"),
        rcode_name(message.rcode), message.id, flags, message.questions.size(),
        message.answer.size(), message.authority.size(), message.additional.size());
    if (!message.questions.empty())
        out += "\n;; QUESTION SECTION:\n";
    for (const Question& question : message.questions)
        fmt::format_to(std::back_inserter(out), FMT_COMPILE(";{}\t{}\t {}\n"), question.name,
            class_name(question.question_class), type_name(question.type));
    const auto section = [&out](std::string_view name, const std::vector<Record>& records) {
        if (!records.empty())
            out.append("\n;; ").append(name).append(" SECTION:\n");
        for (const Record& record : records)
            out.append(record.text).append("\n");
    };
    section("ANSWER", message.answer);
    section("AUTHORITY", message.authority);
    section("ADDITIONAL", message.additional);
    return out;
}

}  // namespace sonde::checkers::dns
