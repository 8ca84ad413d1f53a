#include "exporters/loki.h"

#include <chrono>

namespace sonde::exporters {
namespace {

/// A google.protobuf.Timestamp.
class Time {
public:
    explicit Time(std::chrono::system_clock::time_point time)
    {
        const auto since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch());
        const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
        seconds_ = static_cast<std::uint64_t>(seconds.count());
        nanos_ = static_cast<std::uint64_t>((since - seconds).count());
    }

    std::size_t size() const
    {
        return 1 + wire::varint_size(seconds_) + (nanos_ == 0 ? 0 : 1 + wire::varint_size(nanos_));
    }
    void write(wire::Message& out) const
    {
        wire::field_varint(out, 1, seconds_);
        if (nanos_ != 0)
            wire::field_varint(out, 2, nanos_);
    }

private:
    std::uint64_t seconds_ = 0;
    std::uint64_t nanos_ = 0;
};

}  // namespace

std::string labels_text(const std::vector<Label>& labels)
{
    std::string out;
    constexpr std::size_t around = 8;  // and some escapes
    std::size_t size = around;
    for (const Label& label : labels)
        size += label.name.size() + label.value.size() + around;
    out.reserve(size);
    out += '{';
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

wire::Block encode_stream(const LogStream& stream)
{
    std::string metadata;
    for (const Label& label : stream.structured_metadata) {
        wire::begin_field_bytes(metadata, 3,
            wire::field_size(label.name.size()) + wire::field_size(label.value.size()));
        wire::field_bytes(metadata, 1, label.name);
        wire::field_bytes(metadata, 2, label.value);
    }
    const std::string labels = labels_text(stream.labels);
    const auto entry_size = [&](const LogLine& line) {
        return wire::field_size(Time{line.time}.size()) + wire::field_size(line.line.size()) +
               metadata.size();
    };
    std::size_t size = wire::field_size(labels.size());
    for (const LogLine& line : stream.lines)
        size += wire::field_size(entry_size(line));
    wire::Message request{wire::field_size(size)};
    wire::begin_field_bytes(request, 1, size);
    wire::field_bytes(request, 1, labels);
    for (const LogLine& line : stream.lines) {
        const Time time{line.time};
        wire::begin_field_bytes(request, 2, entry_size(line));
        wire::begin_field_bytes(request, 1, time.size());
        time.write(request);
        wire::field_bytes(request, 2, line.line);
        request.append(metadata);
    }
    return wire::compress(request.text());
}

}  // namespace sonde::exporters
