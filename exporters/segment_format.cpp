#include "exporters/segment_format.h"

#include "exporters/wire.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <tuple>
#include <utility>

namespace sonde::exporters::segment {
namespace {

constexpr std::string_view magic = "SONDEJNL";
/// A record of many small parts is written as several: damage then takes fewer of them along.
constexpr std::size_t parts_per_record = 1024;

static_assert(std::endian::native == std::endian::little);

template <class Number>
void put(std::string& out, Number value)
{
    const auto bytes = std::bit_cast<std::array<char, sizeof value>>(value);
    out.append(bytes.data(), bytes.size());
}

/// The caller has seen that the bytes are there.
template <class Number>
Number get(std::string_view bytes, std::size_t at)
{
    Number value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

void signed_varint(std::string& out, std::int64_t value)
{
    const auto bits = static_cast<std::uint64_t>(value);
    wire::varint(out, (bits << 1U) ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

/// Reads a content from its beginning; after the first thing that is not there it stays failed.
class Reader {
public:
    explicit Reader(std::string_view content) : left_{content} {}

    std::uint64_t number()
    {
        const auto value = wire::take_varint(left_);
        good_ = good_ && value;
        return value.value_or(0);
    }

    std::int64_t signed_number()
    {
        const auto bits = number();
        return static_cast<std::int64_t>((bits >> 1U) ^ ((bits & 1U) != 0 ? ~std::uint64_t{0} : 0));
    }

    /// A number in [`low`, `high`].
    std::uint64_t number(std::uint64_t low, std::uint64_t high)
    {
        const auto value = number();
        good_ = good_ && value >= low && value <= high;
        return good_ ? value : low;
    }

    std::string_view bytes(std::size_t count)
    {
        good_ = good_ && count <= left_.size();
        if (!good_)
            return {};
        const auto taken = left_.substr(0, count);
        left_.remove_prefix(count);
        return taken;
    }

    bool more() const { return good_ && !left_.empty(); }
    bool good() const { return good_; }

    /// What was made of all the bytes; nullopt: some are left, or were not as they should be.
    template <class T>
    std::optional<T> whole(T parsed) const
    {
        return good_ && left_.empty() ? std::optional{std::move(parsed)} : std::nullopt;
    }

private:
    std::string_view left_;
    bool good_ = true;
};

constexpr auto slices = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0);
        tables[0][i] = crc;
    }
    for (std::uint32_t i = 0; i < 256; ++i)
        for (std::size_t slice = 1; slice < 8; ++slice) {
            const auto before = tables[slice - 1][i];
            tables[slice][i] = (before >> 8U) ^ tables[0][before & 0xffU];
        }
    return tables;
}();

// A flag byte stands before each pair of keys: which origins, and whether there is a check.
enum Flags : unsigned { tenant_of_file = 1, has_check = 2, check_of_file = 4 };

unsigned flags_of(TenantKey tenant, const std::optional<CheckKey>& check)
{
    return (tenant.origin == Origin::file ? tenant_of_file : 0U) | (check ? has_check : 0U) |
           (check && check->origin == Origin::file ? check_of_file : 0U);
}

void put_keys(std::string& out, TenantKey tenant, const std::optional<CheckKey>& check)
{
    out += static_cast<char>(flags_of(tenant, check));
    signed_varint(out, tenant.id);
    if (check)
        signed_varint(out, check->id);
}

std::pair<TenantKey, std::optional<CheckKey>> read_keys(Reader& reader)
{
    const auto flags = reader.number(0, 7);
    TenantKey tenant{(flags & tenant_of_file) != 0 ? Origin::file : Origin::api, 0};
    tenant.id = reader.signed_number();
    std::optional<CheckKey> check;
    if ((flags & has_check) != 0)
        check = {(flags & check_of_file) != 0 ? Origin::file : Origin::api, reader.signed_number()};
    return {tenant, check};
}

void put_gap(std::string& out, const Gap& gap)
{
    put_keys(out, gap.tenant, gap.check);
    signed_varint(out, gap.from_ms);
    signed_varint(out, gap.to_ms);
    wire::varint(out, gap.runs);
    out += static_cast<char>((gap.samples ? 1U : 0U) | (gap.events ? 2U : 0U));
    out += static_cast<char>(gap.reason);
}

Gap read_gap(Reader& reader)
{
    Gap gap;
    std::tie(gap.tenant, gap.check) = read_keys(reader);
    gap.from_ms = reader.signed_number();
    gap.to_ms = reader.signed_number();
    gap.runs = reader.number();
    const auto types = reader.number(0, 3);
    gap.samples = (types & 1U) != 0;
    gap.events = (types & 2U) != 0;
    gap.reason =
        static_cast<GapReason>(reader.number(0, static_cast<std::uint64_t>(last_gap_reason)));
    return gap;
}

std::optional<RecordType> record_type(unsigned char byte)
{
    if (byte < static_cast<unsigned char>(RecordType::checkpoint) ||
        byte > static_cast<unsigned char>(RecordType::in_order))
        return std::nullopt;
    return static_cast<RecordType>(byte);
}

/// Of a record header, which depends on where it stands.
std::uint32_t header_crc(std::string_view nine, std::uint32_t segment, std::uint64_t offset)
{
    std::array<char, sizeof segment + sizeof offset> place{};
    std::memcpy(place.data(), &segment, sizeof segment);
    std::memcpy(place.data() + sizeof segment, &offset, sizeof offset);
    return crc32c({place.data(), place.size()}, crc32c(nine));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before)
{
    std::uint32_t crc = ~before;
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
        const auto low = get<std::uint32_t>(bytes, 0) ^ crc;
        const auto high = get<std::uint32_t>(bytes, 4);
        crc = slices[7][low & 0xffU] ^ slices[6][(low >> 8U) & 0xffU] ^
              slices[5][(low >> 16U) & 0xffU] ^ slices[4][low >> 24U] ^ slices[3][high & 0xffU] ^
              slices[2][(high >> 8U) & 0xffU] ^ slices[1][(high >> 16U) & 0xffU] ^
              slices[0][high >> 24U];
    }
    for (const char byte : bytes)
        crc = (crc >> 8U) ^ slices[0][(crc ^ static_cast<unsigned char>(byte)) & 0xffU];
    return ~crc;
}

void Encoder::file_header()
{
    const auto begun = bytes_.size();
    bytes_ += magic;
    put(bytes_, version);
    put(bytes_, crc32c(std::string_view{bytes_}.substr(begun)));
}

void Encoder::checkpoint(const Checkpoint& checkpoint)
{
    const auto begun = begin();
    wire::varint(bytes_, checkpoint.next_sequence);
    wire::varint(bytes_, checkpoint.last_runs.size());
    for (const LastRun& run : checkpoint.last_runs) {
        bytes_ += static_cast<char>(run.check.origin);
        signed_varint(bytes_, run.check.id);
        signed_varint(bytes_, run.due_ms);
    }
    for (const Gap& gap : checkpoint.gaps)
        put_gap(bytes_, gap);
    end(begun, RecordType::checkpoint);
}

std::uint64_t Encoder::entry(const EntryView& entry, RecordType type)
{
    const auto begun = begin();
    wire::varint(bytes_, entry.sequence);
    put_keys(bytes_, entry.tenant, entry.run_of);
    signed_varint(bytes_, entry.timestamp_ms);
    for (const BlockView* block : {&entry.metrics, &entry.logs}) {
        wire::varint(bytes_, block->raw_size);
        wire::varint(bytes_, block->body.size());
    }
    bytes_ += entry.metrics.body;
    bytes_ += entry.logs.body;
    end(begun, type);
    return offset_ + begun;
}

void Encoder::settled(const HalfSet& halves)
{
    for (const Type type : {Type::metrics, Type::logs}) {
        const auto& ranges = halves.of(type).ranges();
        for (auto range = ranges.begin(); range != ranges.end();) {
            const auto begun = begin();
            bytes_ += static_cast<char>(type);
            std::uint64_t from = 0;  // of a range only its distance to the one before is written
            for (std::size_t i = 0; i < parts_per_record && range != ranges.end(); ++i, ++range) {
                wire::varint(bytes_, range->first - from);
                wire::varint(bytes_, range->second - range->first);
                from = range->second;
            }
            end(begun, RecordType::settled);
        }
    }
}

void Encoder::gaps(std::span<const Gap> gaps)
{
    while (!gaps.empty()) {
        const auto some = gaps.first(std::min(gaps.size(), parts_per_record));
        const auto begun = begin();
        for (const Gap& gap : some)
            put_gap(bytes_, gap);
        end(begun, RecordType::gaps);
        gaps = gaps.subspan(some.size());
    }
}

void Encoder::told(std::span<const DamagedPlace> places)
{
    if (places.empty())
        return;
    const auto begun = begin();
    for (const DamagedPlace& place : places) {
        wire::varint(bytes_, place.segment);
        wire::varint(bytes_, place.offset);
    }
    end(begun, RecordType::told);
}

void Encoder::in_order(const InOrder& ways)
{
    const auto begun = begin();
    for (const auto& [way, remote] : ways) {
        put_keys(bytes_, way.first, std::nullopt);
        bytes_ += static_cast<char>(way.second);
        wire::varint(bytes_, remote);
    }
    end(begun, RecordType::in_order);
}

void Encoder::record(RecordType type, std::string_view content)
{
    const auto begun = begin();
    bytes_ += content;
    end(begun, type);
}

std::size_t Encoder::begin()
{
    const auto begun = bytes_.size();
    bytes_.append(record_header_bytes, '\0');
    return begun;
}

void Encoder::end(std::size_t begun, RecordType type)
{
    const auto content = std::string_view{bytes_}.substr(begun + record_header_bytes);
    fits_ = fits_ && content.size() <= max_content_bytes;
    std::string header;
    put(header, static_cast<std::uint32_t>(content.size()));
    put(header, crc32c(content));
    header += static_cast<char>(type);
    put(header, header_crc(header, segment_, offset_ + begun));
    bytes_.replace(begun, header.size(), header);
}

std::optional<EntryView> parse_entry(std::string_view content)
{
    Reader reader{content};
    EntryView entry;
    entry.sequence = reader.number(1, sequence_end - 1);
    std::tie(entry.tenant, entry.run_of) = read_keys(reader);
    entry.timestamp_ms = reader.signed_number();
    std::array<std::size_t, 2> sizes{};
    entry.metrics.raw_size = reader.number(0, UINT32_MAX);
    sizes[0] = reader.number(0, max_content_bytes);
    entry.logs.raw_size = reader.number(0, UINT32_MAX);
    sizes[1] = reader.number(0, max_content_bytes);
    entry.metrics.body = reader.bytes(sizes[0]);
    entry.logs.body = reader.bytes(sizes[1]);
    return reader.whole(entry);
}

std::optional<Checkpoint> parse_checkpoint(std::string_view content)
{
    Reader reader{content};
    Checkpoint checkpoint;
    checkpoint.next_sequence = reader.number(1, sequence_end - 1);
    for (auto runs = reader.number(); runs > 0 && reader.good(); --runs) {
        LastRun run;
        run.check.origin = static_cast<Origin>(reader.number(0, 1));
        run.check.id = reader.signed_number();
        run.due_ms = reader.signed_number();
        if (reader.good())
            checkpoint.last_runs.push_back(run);
    }
    while (reader.more())
        checkpoint.gaps.push_back(read_gap(reader));
    return reader.whole(std::move(checkpoint));
}

std::optional<HalfSet> parse_settled(std::string_view content)
{
    Reader reader{content};
    HalfSet halves;
    SequenceSet& set = halves.of(static_cast<Type>(reader.number(0, 1)));
    std::uint64_t from = 0;
    while (reader.more()) {
        const auto first = from + reader.number(1, sequence_end - 1);
        const auto last = first + reader.number(0, sequence_end - 1);
        if (!reader.good() || last >= sequence_end)
            return std::nullopt;
        set.insert(first, last);
        from = last;
    }
    return reader.whole(std::move(halves));
}

std::optional<std::vector<Gap>> parse_gaps(std::string_view content)
{
    Reader reader{content};
    std::vector<Gap> gaps;
    while (reader.more())
        gaps.push_back(read_gap(reader));
    return reader.whole(std::move(gaps));
}

std::optional<std::vector<DamagedPlace>> parse_told(std::string_view content)
{
    Reader reader{content};
    std::vector<DamagedPlace> places;
    while (reader.more()) {
        DamagedPlace place;
        place.segment = static_cast<std::uint32_t>(reader.number(0, UINT32_MAX));
        place.offset = reader.number();
        places.push_back(place);
    }
    return reader.whole(std::move(places));
}

std::optional<InOrder> parse_in_order(std::string_view content)
{
    Reader reader{content};
    InOrder ways;
    while (reader.more()) {
        const TenantKey tenant = read_keys(reader).first;
        const auto type = static_cast<Type>(reader.number(0, 1));
        ways[{tenant, type}] = static_cast<std::uint32_t>(reader.number(0, UINT32_MAX));
    }
    return reader.whole(std::move(ways));
}

std::optional<RecordHeader> parse_header(
    std::string_view bytes, std::uint32_t segment, std::uint64_t offset)
{
    if (bytes.size() < record_header_bytes)
        return std::nullopt;
    const auto type = record_type(static_cast<unsigned char>(bytes[8]));
    const auto length = get<std::uint32_t>(bytes, 0);
    if (!type || length > max_content_bytes ||
        get<std::uint32_t>(bytes, 9) != header_crc(bytes.substr(0, 9), segment, offset))
        return std::nullopt;
    return RecordHeader{*type, length, get<std::uint32_t>(bytes, 4)};
}

std::optional<std::uint32_t> version_of(std::string_view file)
{
    if (file.size() < file_header_bytes || !file.starts_with(magic))
        return std::nullopt;
    const auto end = magic.size() + sizeof version;
    if (get<std::uint32_t>(file, end) != crc32c(file.substr(0, end)))
        return std::nullopt;
    return get<std::uint32_t>(file, magic.size());
}

}  // namespace sonde::exporters::segment
