#include "exporters/remote_write.h"

#include "exporters/wire.h"

namespace sonde::exporters {

std::string encode_series(const Payload& payload)
{
    std::string request;
    std::string series;
    std::string part;
    for (const Series& each : payload.series) {
        series.clear();
        for (const Label& label : each.labels) {
            part.clear();
            wire::field_bytes(part, 1, label.name);
            wire::field_bytes(part, 2, label.value);
            wire::field_bytes(series, 1, part);
        }
        part.clear();
        wire::field_double(part, 1, each.value);
        wire::field_varint(part, 2, static_cast<std::uint64_t>(payload.timestamp_ms));
        wire::field_bytes(series, 2, part);
        wire::field_bytes(request, 1, series);
    }
    return request;
}

}  // namespace sonde::exporters
