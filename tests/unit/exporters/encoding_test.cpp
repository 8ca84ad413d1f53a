#include "exporters/lane/queue.h"
#include "exporters/loki.h"
#include "exporters/remote_write.h"
#include "exporters/wire.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <snappy.h>

#include <bit>
#include <random>

using namespace sonde::exporters;

namespace {

/// What snappy makes of blocks that have been joined.
std::string read_back(std::vector<wire::Block> blocks)
{
    lane::Records records(blocks.size());
    for (std::size_t i = 0; i < blocks.size(); ++i)
        records[i].block = std::move(blocks[i]);
    const std::string body = lane::join(records);
    std::string back;
    REQUIRE(snappy::Uncompress(body.data(), body.size(), &back));
    return back;
}

std::string field(unsigned number, const std::string& content)
{
    std::string out;
    wire::field_bytes(out, number, content);
    return out;
}

/// A request without any thought of what repeats.
std::string plain_request(const Payload& payload)
{
    std::string request;
    for (std::size_t i = 0; i < payload.values.size(); ++i) {
        std::string series;
        for (const Label& label : payload.series->labels(i))
            series += field(1, field(1, label.name) + field(2, label.value));
        std::string sample;
        wire::field_double(sample, 1, payload.values[i]);
        wire::field_varint(sample, 2, static_cast<std::uint64_t>(payload.timestamp_ms));
        request += field(1, series + field(2, sample));
    }
    return request;
}

std::string plain_request(const LogStream& stream)
{
    std::string metadata;
    for (const Label& label : stream.structured_metadata)
        metadata += field(3, field(1, label.name) + field(2, label.value));
    std::string all = field(1, labels_text(stream.labels));
    for (const LogLine& line : stream.lines) {
        const auto time = line.time.time_since_epoch();
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        std::string encoded;
        wire::field_varint(encoded, 1, static_cast<std::uint64_t>(seconds.count()));
        if (time != seconds)
            wire::field_varint(encoded, 2,
                static_cast<std::uint64_t>(std::chrono::nanoseconds{time - seconds}.count()));
        all += field(2, field(1, encoded) + field(2, line.line) + metadata);
    }
    return field(1, all);
}

/// As a DNS check has them: many alike, a histogram, and one with labels of its own.
Payload some_run()
{
    const LabelSet shared{{"config_version", "1764400000000000000"}, {"instance", "www.bench.test"},
        {"job", "bench 2"}, {"probe", "bench"}};
    const LabelSet info{{"check_name", "dns"}, {"frequency", "60000"},
        {"instance", "www.bench.test"}, {"job", "bench 2"}, {"probe", "bench"},
        {"region", "LOOPBACK"}};
    std::vector<SeriesShape::Series> series;
    for (const char* phase : {"connect", "request", "resolve"})
        series.push_back({{{"__name__", "probe_dns_duration_seconds"}, {"phase", phase}}});
    for (const char* name : {"probe_dns_answer_rrs", "probe_dns_authority_rrs",
             "probe_duration_seconds", "probe_ip_addr_hash", "probe_ip_protocol", "probe_success"})
        series.push_back({{{"__name__", name}}});
    series.push_back({{{"__name__", "sm_check_info"}}, true});
    for (const char* bound : {"0.005", "0.01", "0.025", "0.05", "0.1", "+Inf"})
        series.push_back({{{"__name__", "probe_all_duration_seconds_bucket"}, {"le", bound}}});
    const auto names_of = [](const LabelSet& labels) {
        std::vector<std::string> names;
        for (const Label& label : labels)
            names.push_back(label.name);
        return names;
    };
    Payload payload;
    payload.timestamp_ms = 1764400000123;
    payload.series = std::make_shared<const Identities>(
        std::make_shared<const SeriesShape>(series, names_of(shared), names_of(info)),
        EncodedLabels{shared}, EncodedLabels{info});
    payload.values = {
        0.000071, 0.001234, 0.000002, 1, 0, 0.001851054, 4161254412, 4, 1, 1, 0, 3, 7, 7, 7, 7};
    return payload;
}

}  // namespace

TEST_SUITE_BEGIN("exporters/encoding");

TEST_CASE("joined blocks are one snappy block of all requests")
{
    const Payload run = some_run();
    const std::string raw = plain_request(run);
    CHECK(read_back({encode_series(run), encode_series(run)}) == raw + raw);
}

TEST_CASE("a run's series read back as if each had been written by itself")
{
    const Payload run = some_run();
    const wire::Block block = encode_series(run);
    const std::string raw = plain_request(run);
    CHECK(block.raw_size == raw.size());
    CHECK(read_back({block}) == raw);
}

TEST_CASE("any series read back as if each had been written by itself")
{
    std::mt19937 random{5};
    const auto some_text = [&](std::size_t most) {
        std::string text(random() % (most + 1), ' ');
        for (char& c : text)
            c = static_cast<char>('a' + random() % 3);
        return text;
    };
    for (int round = 0; round < 200; ++round) {
        std::vector<LabelSet> series(random() % 30);
        for (LabelSet& labels : series) {
            labels.push_back({"__name__", some_text(40)});
            for (char name = 'a'; name < 'e'; ++name)
                if (random() % 2 == 0)
                    labels.push_back({std::string(1, name), some_text(300)});
        }
        Payload payload;
        payload.timestamp_ms = static_cast<std::int64_t>(random());
        payload.series = std::make_shared<const Identities>(series);
        for (std::size_t i = 0; i < series.size(); ++i) {
            CHECK(payload.series->labels(i) == series[i]);
            payload.values.push_back(random() % 3);
        }
        CHECK(read_back({encode_series(payload)}) == plain_request(payload));
    }
}

TEST_CASE("no samples, and a time before 1970")
{
    Payload run = some_run();
    run.timestamp_ms = -1;
    CHECK(read_back({encode_series(run)}) == plain_request(run));
    run.values.clear();
    CHECK(encode_series(run).raw_size == 0);
}

TEST_CASE("the bits of a stale marker arrive as they are")
{
    Payload payload = some_run();
    payload.values.assign(
        payload.values.size(), std::bit_cast<double>(std::uint64_t{0x7ff0000000000002}));
    const std::string back = read_back({encode_series(payload)});
    CHECK(back == plain_request(payload));
    CHECK(back.find({"\x02\x00\x00\x00\x00\x00\xf0\x7f", 8}) != std::string::npos);
}

TEST_CASE("a run's lines read back as if each had been written by itself")
{
    using std::chrono::nanoseconds;
    const std::string labels =
        "target=127.0.0.1 probe=bench region=LOOPBACK instance=www.bench.test job=\"bench 2\" "
        "check_name=dns source=synthetic-monitoring-agent";
    LogStream stream;
    stream.labels = {{"probe", "bench"}, {"instance", "www.bench.test"}, {"probe_success", "1"}};
    stream.structured_metadata = {{"execution_id", "d9855846-c3d6-44ed-9c0f-a3eb884bf1f2"}};
    const auto add = [&](const std::string& before, const std::string& behind) {
        const auto number = static_cast<long>(stream.lines.size());
        stream.lines.push_back({std::chrono::system_clock::time_point{
                                    nanoseconds{1764400000000000000 + number * 333333333}},
            before + labels + behind + '\n'});
    };
    add("level=info ", " msg=\"Beginning check\" type=dns timeout_seconds=3");
    add("level=info ", " msg=\"Resolving target address\" target=127.0.0.1 ip_protocol=ip6");
    add("level=debug ", " msg=\"Making DNS query\" target=127.0.0.1:19703 dial_protocol=udp4");
    add("", " level=INFO msg=\"a line of the other layout\"");
    add("", " level=WARN msg=\"a line of the other layout\"");
    stream.lines.push_back({stream.lines.back().time, ""});
    stream.lines.push_back({stream.lines.back().time, "level=\n"});
    add("level=error ", " msg=\"Check failed\" duration_seconds=" + std::string(70'000, '1'));
    add("level=error ", " msg=\"Check failed\" duration_seconds=" + std::string(70'000, '1'));

    const std::string raw = plain_request(stream);
    CHECK(read_back({encode_stream(stream)}) == raw);
    stream.lines = {{std::chrono::system_clock::time_point{nanoseconds{-1}}, "before 1970"}};
    CHECK(read_back({encode_stream(stream)}) == plain_request(stream));
    stream.lines.clear();
    CHECK(read_back({encode_stream(stream)}) == plain_request(stream));
}

TEST_CASE("labels of a stream are escaped")
{
    CHECK(labels_text({{"job", "a \"b\" \\ c\nd"}, {"probe", "x"}}) ==
          R"({job="a \"b\" \\ c\nd",probe="x"})");
}

TEST_SUITE_END();
