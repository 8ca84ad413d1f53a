#include "exporters/remote_write.h"

namespace sonde::exporters {

wire::Block encode_series(const Payload& payload)
{
    if (!payload.series)
        return {};
    const Identities& series = *payload.series;
    std::string time;
    wire::field_varint(time, 2, static_cast<std::uint64_t>(payload.timestamp_ms));
    const std::size_t sample = 1 + sizeof(double) + time.size();
    std::size_t size = 0;
    for (std::size_t i = 0; i < payload.values.size(); ++i)
        size += wire::field_size(series.encoded_size(i) + wire::field_size(sample));
    wire::Message request{size};
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        wire::begin_field_bytes(request, 1, series.encoded_size(i) + wire::field_size(sample));
        series.encode(i, request);
        wire::begin_field_bytes(request, 2, sample);
        wire::field_double(request, 1, payload.values[i]);
        request.append(time);
    }
    return wire::compress(request.text());
}

}  // namespace sonde::exporters
