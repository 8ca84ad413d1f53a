// What an API may send: agent/link/wire_text, which repairs text before protobuf reads it.
#include "agent/base/text.h"
#include "agent/link/wire_text.h"
#include "config/schema.h"
#include "tests/fuzz/fuzz.h"

#include <google/protobuf/stubs/logging.h>

#include <memory>
#include <string>

namespace {

using namespace sonde;
using google::protobuf::Message;

/// Fields, one after the other, are the bytes up to the first that is none.
void check_fields(std::string_view bytes)
{
    std::string_view left = bytes;
    while (const auto field = link::take_field(left)) {
        fuzz::require(!field->whole.empty(), "a field has a tag");
        fuzz::require(field->whole.data() + field->whole.size() == left.data(),
            "a field ends where the next begins");
        fuzz::require(field->whole.ends_with(field->content), "its content is at its end");
        fuzz::require(field->number > 0, "fields count from 1");
    }
    fuzz::require(left.size() <= bytes.size(), "no more is taken than there is");
}

/// Messages that an API sends, by the choice of the input.
std::unique_ptr<Message> message(unsigned choice)
{
    switch (choice) {
    case 0:
        return std::make_unique<pb::Changes>();
    case 1:
        return std::make_unique<pb::RegisterProbeResult>();
    case 2:
        return std::make_unique<pb::Tenant>();
    default:
        return std::make_unique<pb::AdHocRequest>();
    }
}

void check_repair(std::string_view bytes, Message& into)
{
    const auto& type = *into.GetDescriptor();
    const auto repaired = link::with_repaired_text(type, bytes);
    const bool was_good = into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    if (!repaired)
        return;
    fuzz::require(
        link::with_repaired_text(type, *repaired) == *repaired, "what is repaired needs no repair");
    const auto before = was_good ? into.SerializeAsString() : std::string{};
    if (!was_good && !into.ParseFromString(*repaired))
        return;
    if (was_good) {
        fuzz::require(into.ParseFromString(*repaired), "what was good stays good");
        fuzz::require(into.SerializeAsString() == before, "what was good stays as it is");
    }
    fuzz::require(
        text::repair_utf8(into.ShortDebugString()) == into.ShortDebugString(), "all text is UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    google::protobuf::SetLogHandler(nullptr);
    fuzz::Input input{data, size};
    const auto into = message(input.choice(4));
    check_fields(input.rest());
    check_repair(input.rest(), *into);
    return 0;
}
