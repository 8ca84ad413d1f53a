#include "exporters/wire.h"

#include <snappy.h>

namespace sonde::exporters::wire {

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

Block compress(std::string_view raw)
{
    // Not into a string: it would be filled with zeros first, and would keep the room of the worst
    // case while it waits in a queue.
    const auto room =
        std::make_unique_for_overwrite<char[]>(snappy::MaxCompressedLength(raw.size()));
    std::size_t size = 0;
    snappy::RawCompress(raw.data(), raw.size(), room.get(), &size);
    const std::size_t prefix = varint_size(raw.size());  // the raw size stands in front
    return {std::string(room.get() + prefix, size - prefix), raw.size()};
}

}  // namespace sonde::exporters::wire
