#include "config/schema.h"
#include "tests/support/scratch_folder.h"

#include <doctest/doctest.h>
#include <google/protobuf/descriptor.pb.h>

#include <cstdlib>
#include <filesystem>
#include <map>

namespace sonde::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FileDescriptor;

// Names and numbers of the public protocol: what must never change here by accident. The value is
// fnv1a() of facts() where config/schema/checks.proto was last compared with the reference.
constexpr std::uint64_t known_fingerprint = 9018448352078009298U;
constexpr int known_facts = 347;

using Facts = std::map<std::string, std::string>;

void add(const EnumDescriptor& type, Facts& facts)
{
    for (int i = 0; i < type.value_count(); ++i)
        facts[type.full_name() + ' ' + type.value(i)->name()] =
            std::to_string(type.value(i)->number());
}

void add(const Descriptor& type, Facts& facts)
{
    facts[type.full_name()] = "message";
    for (int i = 0; i < type.field_count(); ++i) {
        const auto& field = *type.field(i);
        std::string kind = field.type_name();
        if (field.message_type() != nullptr)
            kind = field.message_type()->full_name();
        if (field.enum_type() != nullptr)
            kind = field.enum_type()->full_name();
        facts[type.full_name() + '.' + field.name()] = fmt::format("{} {} {}{}{}", field.number(),
            kind, static_cast<int>(field.label()), field.is_packed() ? " packed" : "",
            field.real_containing_oneof() != nullptr ? " oneof" : "");
    }
    for (int i = 0; i < type.nested_type_count(); ++i)
        add(*type.nested_type(i), facts);
    for (int i = 0; i < type.enum_type_count(); ++i)
        add(*type.enum_type(i), facts);
}

/// All that is on the wire of a schema, one line each: names, numbers, types, labels, methods.
Facts facts_of(const FileDescriptor& file)
{
    Facts facts{{"package", file.package()}};
    for (int i = 0; i < file.message_type_count(); ++i)
        add(*file.message_type(i), facts);
    for (int i = 0; i < file.enum_type_count(); ++i)
        add(*file.enum_type(i), facts);
    for (int i = 0; i < file.service_count(); ++i)
        for (int k = 0; k < file.service(i)->method_count(); ++k) {
            const auto& method = *file.service(i)->method(k);
            facts[method.full_name()] = fmt::format("{}{} -> {}{}",
                method.client_streaming() ? "stream " : "", method.input_type()->full_name(),
                method.server_streaming() ? "stream " : "", method.output_type()->full_name());
        }
    return facts;
}

/// FNV-1a, 64 bits.
std::uint64_t fnv1a(const Facts& facts)
{
    std::uint64_t hash = 14695981039346656037U;
    for (const auto& [name, fact] : facts)
        for (const char c : name + '=' + fact + '\n')
            hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

/// The reference schema, where the machine has it.
std::filesystem::path reference_file()
{
    if (const char* given = std::getenv("SONDE_REFERENCE_PROTO"))
        return given;
    const char* source = std::getenv("SONDE_SOURCE");
    return std::filesystem::path{source == nullptr ? "." : source} /
           "../shared/reference/synthetic_monitoring.proto";
}

/// The descriptors of a .proto file, by the protoc that the build needs anyway: Debian's
/// libprotobuf-dev has the parser's code, but not its headers.
google::protobuf::FileDescriptorSet compile(const std::filesystem::path& file)
{
    const tests::ScratchFolder folder;
    const std::string out = folder.path("descriptors");
    const auto command = fmt::format("protoc -I '{}' --descriptor_set_out='{}' '{}'",
        file.parent_path().string(), out, file.string());
    REQUIRE(std::system(command.c_str()) == 0);
    google::protobuf::FileDescriptorSet set;
    REQUIRE(set.ParseFromString(tests::content_of(out)));
    REQUIRE(set.file_size() == 1);
    return set;
}

TEST_SUITE("config")
{
    const FileDescriptor& ours()
    {
        return *pb::Check::descriptor()->file();
    }

    TEST_CASE("the schema is the public protocol: the reference says so")
    {
        const auto file = reference_file();
        if (!std::filesystem::exists(file)) {
            MESSAGE("no reference schema at ", file.string(), ": the fingerprint decides");
            return;
        }
        const auto set = compile(file);
        google::protobuf::DescriptorPool pool;
        const auto* reference = pool.BuildFile(set.file(0));
        REQUIRE(reference != nullptr);
        const Facts theirs = facts_of(*reference);
        const Facts mine = facts_of(ours());
        CHECK(theirs.size() > 300);
        for (const auto& [name, fact] : theirs) {
            CAPTURE(name);
            REQUIRE(mine.contains(name));
            CHECK(mine.at(name) == fact);
        }
        for (const auto& [name, fact] : mine) {
            CAPTURE(name);
            CHECK(theirs.contains(name));
        }
    }

    TEST_CASE("the schema is the public protocol: its fingerprint has not changed")
    {
        const Facts facts = facts_of(ours());
        CHECK(facts.size() == known_facts);
        CHECK(fnv1a(facts) == known_fingerprint);
    }

    TEST_CASE("members have the names of the HTTP API where protobuf would say otherwise")
    {
        const std::pair<std::string_view, std::string_view> table[] = {
            {"ProbeInfo.Version", "version"}, {"ProbeInfo.Commit", "commit"},
            {"ProbeInfo.Buildstamp", "buildstamp"}, {"PingRequest.Sequence", "sequence"},
            {"PongResponse.Sequence", "sequence"}, {"TLSConfig.CACert", "caCert"},
            {"DnsSettings.validateAnswer", "validateAnswerRRS"},
            {"DnsSettings.validateAuthority", "validateAuthorityRRS"},
            {"DnsSettings.validateAdditional", "validateAdditionalRRS"},
            {"MultiHttpSettings.logResponses", "logResponseBodies"},
            {"MultiHttpEntry.assertions", "checks"}, {"Tenant.label_mode", "labelMode"},
            {"HttpSettings.proxyURL", "proxyURL"}};
        for (const auto& [field, name] : table) {
            CAPTURE(field);
            const auto dot = field.find('.');
            const auto* type = ours().FindMessageTypeByName(std::string{field.substr(0, dot)});
            REQUIRE(type != nullptr);
            const auto* found = type->FindFieldByName(std::string{field.substr(dot + 1)});
            REQUIRE(found != nullptr);
            CHECK(found->json_name() == name);
        }
    }
}

}  // namespace
}  // namespace sonde::config
