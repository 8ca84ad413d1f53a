#include "exporters/remote_write.h"

#include "exporters/wire.h"

namespace sonde::exporters {

Identity::Identity(std::vector<Label> its_labels) : labels{std::move(its_labels)}
{
    std::string part;
    for (const Label& label : labels) {
        part.clear();
        wire::field_bytes(part, 1, label.name);
        wire::field_bytes(part, 2, label.value);
        wire::field_bytes(encoded, 1, part);
    }
}

std::string encode_series(const Payload& payload)
{
    std::string request;
    if (!payload.series)
        return request;
    constexpr std::size_t around = 32;  // tags, lengths, value and time
    std::size_t size = 0;
    for (const Identity& each : *payload.series)
        size += each.encoded.size() + around;
    request.reserve(size);
    std::string time;
    wire::field_varint(time, 2, static_cast<std::uint64_t>(payload.timestamp_ms));
    std::string sample;
    std::string tagged;
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        const Identity& identity = (*payload.series)[i];
        sample.clear();
        wire::field_double(sample, 1, payload.values[i]);
        sample += time;
        tagged.clear();
        wire::field_bytes(tagged, 2, sample);
        wire::field_bytes(request, 1, identity.encoded, tagged);
    }
    return request;
}

}  // namespace sonde::exporters
