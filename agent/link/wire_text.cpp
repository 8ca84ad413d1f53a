#include "agent/link/wire_text.h"

#include "agent/base/text.h"
#include "exporters/wire.h"

#include <google/protobuf/descriptor.h>

namespace sonde::link {
namespace {

namespace wire = exporters::wire;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr int deepest = 64;  // messages within messages

bool repair(const Descriptor& type, std::string_view bytes, int depth, std::string& out)
{
    if (depth > deepest)
        return false;
    while (!bytes.empty()) {
        const auto field = take_field(bytes);
        if (!field)
            return false;
        const auto* meant = type.FindFieldByNumber(static_cast<int>(field->number));
        const auto kind = meant && field->has_content ? meant->type() : FieldDescriptor::TYPE_BYTES;
        std::string content;
        if (kind == FieldDescriptor::TYPE_STRING)
            content = text::repair_utf8(field->content);
        else if (kind != FieldDescriptor::TYPE_MESSAGE) {
            out += field->whole;
            continue;
        } else if (!repair(*meant->message_type(), field->content, depth + 1, content))
            return false;
        wire::varint(out, field->number << 3U | 2U);
        wire::varint(out, content.size());
        out += content;
    }
    return true;
}

}  // namespace

std::optional<WireField> take_field(std::string_view& bytes)
{
    const std::string_view before = bytes;
    const auto tag = wire::take_varint(bytes);
    if (!tag || *tag >> 3U == 0 || *tag >> 3U > FieldDescriptor::kMaxNumber)
        return std::nullopt;
    WireField field;
    field.number = *tag >> 3U;
    std::optional<std::uint64_t> size;
    switch (*tag & 7U) {
    case 0:
        if (wire::take_varint(bytes))
            size = 0;
        break;
    case 1:
        size = 8;
        break;
    case 2:
        size = wire::take_varint(bytes);
        field.has_content = true;
        break;
    case 5:
        size = 4;
        break;
    default:  // groups: this schema has none
        break;
    }
    if (!size || *size > bytes.size())
        return std::nullopt;
    field.content = bytes.substr(0, *size);
    bytes.remove_prefix(*size);
    field.whole = before.substr(0, before.size() - bytes.size());
    return field;
}

std::optional<std::string> with_repaired_text(const Descriptor& type, std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size() + 64);
    if (!repair(type, bytes, 0, out))
        return std::nullopt;
    return out;
}

}  // namespace sonde::link
