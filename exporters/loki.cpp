#include "exporters/loki.h"

#include "exporters/wire.h"

#include <chrono>

namespace sonde::exporters {
namespace {

std::string encode_time(std::chrono::system_clock::time_point time)
{
    const auto since =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    std::string out;
    wire::field_varint(out, 1, static_cast<std::uint64_t>(seconds.count()));
    if (const auto nanos = (since - seconds).count(); nanos != 0)
        wire::field_varint(out, 2, static_cast<std::uint64_t>(nanos));
    return out;
}

}  // namespace

std::string labels_text(const std::vector<Label>& labels)
{
    std::string out = "{";
    for (const Label& label : labels) {
        if (out.size() > 1)
            out += ',';
        out.append(label.name).append("=\"");
        for (const char c : label.value) {
            if (c == '\n')
                out += "\\n";
            else if (c == '"' || c == '\\')
                out.append(1, '\\').append(1, c);
            else
                out += c;
        }
        out += '"';
    }
    return out += '}';
}

std::string encode_stream(const LogStream& stream)
{
    std::string metadata;
    std::string part;
    for (const Label& label : stream.structured_metadata) {
        part.clear();
        wire::field_bytes(part, 1, label.name);
        wire::field_bytes(part, 2, label.value);
        wire::field_bytes(metadata, 3, part);
    }
    const std::string labels = labels_text(stream.labels);
    std::size_t size = labels.size();
    constexpr std::size_t around = 32;  // tags, lengths and the time
    for (const LogLine& line : stream.lines)
        size += line.line.size() + metadata.size() + around;
    std::string adapter;
    adapter.reserve(size);
    wire::field_bytes(adapter, 1, labels);
    for (const LogLine& line : stream.lines) {
        part.clear();
        wire::field_bytes(part, 1, encode_time(line.time));
        wire::field_bytes(part, 2, line.line);
        wire::begin_field_bytes(adapter, 2, part.size() + metadata.size());
        adapter += part;
        adapter += metadata;
    }
    std::string request;
    request.reserve(adapter.size() + around);
    wire::field_bytes(request, 1, adapter);
    return request;
}

}  // namespace sonde::exporters
