#include "config/json_names.h"

#include "agent/base/text.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace sonde::config {
namespace {

using google::protobuf::FieldDescriptor;

constexpr std::array aliases{
    JsonAlias{"DnsSettings", "validRCodes", "validRCode"},
    JsonAlias{"DnsSettings", "validateAdditionalRRS", "validateAditionalRRS"},
};

constexpr std::array<std::string_view, 5> named_enums{
    "IpVersion", "HttpMethod", "DnsRecordType", "DnsProtocol", "CompressionAlgorithm"};

/// Messages whose members are left out when empty, and the members that are printed all the same.
struct Sparse {
    std::string_view message;
    std::array<std::string_view, 5> printed = {};
};
constexpr std::array sparse{
    Sparse{"Status"},
    Sparse{"TenantInfo"},
    Sparse{"CheckSettings"},
    Sparse{"PingSettings", {"ipVersion", "dontFragment", "packetCount"}},
    Sparse{
        "HttpSettings", {"ipVersion", "method", "noFollowRedirects", "failIfSSL", "failIfNotSSL"}},
    Sparse{"BasicAuth"},
    Sparse{"HeaderMatch"},
    Sparse{"OAuth2Config", {"clientId", "clientSecret", "tokenURL"}},
    Sparse{"DnsSettings", {"ipVersion", "server", "port", "recordType", "protocol"}},
    Sparse{"DNSRRValidator"},
    Sparse{"TcpSettings", {"ipVersion"}},
    Sparse{"TCPQueryResponse", {"send", "expect"}},
    Sparse{"TLSConfig"},
    Sparse{"GrpcSettings", {"ipVersion"}},
    Sparse{"MultiHttpSettings", {"entries"}},
    Sparse{"MultiHttpEntry", {"request"}},
    Sparse{"MultiHttpEntryRequest", {"method", "url"}},
    Sparse{"HttpRequestBody", {"contentType", "payload"}},
    Sparse{"MultiHttpEntryAssertion", {"type"}},
    Sparse{"MultiHttpEntryVariable", {"type"}},
};

/// "Message.member".
bool is_one_of(const FieldDescriptor& field, std::initializer_list<std::string_view> members)
{
    return std::any_of(members.begin(), members.end(), [&](std::string_view member) {
        const auto dot = member.find('.');
        return member.substr(0, dot) == field.containing_type()->name() &&
               member.substr(dot + 1) == field.json_name();
    });
}

}  // namespace

std::span<const JsonAlias> json_aliases()
{
    return aliases;
}

std::string_view alias_of(const FieldDescriptor& field)
{
    for (const JsonAlias& alias : aliases)
        if (alias.name == field.json_name() && alias.message == field.containing_type()->name())
            return alias.spelling;
    return {};
}

const FieldDescriptor* find_member(
    const google::protobuf::Descriptor& schema, std::string_view name)
{
    for (int i = 0; i < schema.field_count(); ++i)
        if (schema.field(i)->json_name() == name || alias_of(*schema.field(i)) == name)
            return schema.field(i);
    return nullptr;
}

std::string unknown_member(const google::protobuf::Descriptor& schema, std::string_view name)
{
    std::vector<std::string_view> known;
    for (int i = 0; i < schema.field_count(); ++i)
        known.push_back(schema.field(i)->json_name());
    const auto nearest = text::nearest(name, known);
    return nearest.empty() ? std::string{"is not a member"}
                           : fmt::format("is not a member; did you mean {}?", nearest);
}

bool is_named_enum(const google::protobuf::EnumDescriptor& type)
{
    return std::find(named_enums.begin(), named_enums.end(), type.name()) != named_enums.end();
}

WhenEmpty when_empty(const FieldDescriptor& field)
{
    if (is_one_of(
            field, {"RegisterProbeResult.probe", "RegisterProbeResult.status", "CheckChange.check",
                       "AdHocRequest.adHocCheck", "Check.settings", "AdHocCheck.settings",
                       "RegisterK6VersionResponse.status", "Probe.capabilities"}))
        return WhenEmpty::print_object;
    if (is_one_of(field, {"CheckChange.operation"}))
        return WhenEmpty::omit;
    for (const Sparse& row : sparse)
        if (row.message == field.containing_type()->name())
            return std::find(row.printed.begin(), row.printed.end(), field.json_name()) !=
                           row.printed.end()
                       ? WhenEmpty::print
                       : WhenEmpty::omit;
    return WhenEmpty::print;
}

bool is_masked(const FieldDescriptor& field)
{
    return is_one_of(field, {"RemoteInfo.password", "SecretStore.token"});
}

}  // namespace sonde::config
