#include "exporters/wire.h"

#include <snappy.h>

#include <array>
#include <bit>

namespace sonde::exporters::wire {
namespace {

enum Type : unsigned { varint_type = 0, fixed64_type = 1, bytes_type = 2 };

void tag(std::string& out, unsigned field, Type type)
{
    out += static_cast<char>(field << 3U | type);
}

}  // namespace

void varint(std::string& out, std::uint64_t value)
{
    for (; value >= 0x80; value >>= 7U)
        out += static_cast<char>(value | 0x80U);
    out += static_cast<char>(value);
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes)
{
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
        if (byte < 0x80)
            return value;
    }
    return std::nullopt;
}

void field_varint(std::string& out, unsigned field, std::uint64_t value)
{
    tag(out, field, varint_type);
    varint(out, value);
}

void field_double(std::string& out, unsigned field, double value)
{
    tag(out, field, fixed64_type);
    static_assert(std::endian::native == std::endian::little);
    const auto bits = std::bit_cast<std::array<char, sizeof value>>(value);
    out.append(bits.data(), bits.size());
}

void begin_field_bytes(std::string& out, unsigned field, std::size_t bytes)
{
    tag(out, field, bytes_type);
    varint(out, bytes);
}

void field_bytes(std::string& out, unsigned field, std::string_view bytes)
{
    begin_field_bytes(out, field, bytes.size());
    out += bytes;
}

Block compress(std::string_view raw)
{
    Block block;
    snappy::Compress(raw.data(), raw.size(), &block.body);
    std::size_t prefix = 1;  // the raw size as a varint stands in front
    for (std::size_t rest = raw.size(); rest >= 0x80; rest >>= 7U)
        ++prefix;
    block.body.erase(0, prefix);
    block.raw_size = raw.size();
    return block;
}

}  // namespace sonde::exporters::wire
