#include "exporters/remote_write.h"

#include "exporters/wire.h"

namespace sonde::exporters {

std::string encode_series(const Payload& payload)
{
    std::string request;
    if (!payload.series)
        return request;
    constexpr std::size_t around = 32;  // tags, lengths, value and time
    const Identities& series = *payload.series;
    std::size_t size = 0;
    for (std::size_t i = 0; i < series.size(); ++i)
        size += series.encoded_size(i) + around;
    request.reserve(size);
    std::string time;
    wire::field_varint(time, 2, static_cast<std::uint64_t>(payload.timestamp_ms));
    std::string sample;
    std::string tagged;
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        sample.clear();
        wire::field_double(sample, 1, payload.values[i]);
        sample += time;
        tagged.clear();
        wire::field_bytes(tagged, 2, sample);
        wire::begin_field_bytes(request, 1, series.encoded_size(i) + tagged.size());
        series.encode(i, request);
        request += tagged;
    }
    return request;
}

}  // namespace sonde::exporters
