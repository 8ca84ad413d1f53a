#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::exporters::wire {

// Protobuf's encoding (field numbers below 16): what is pushed has few fields, and messages built
// first would copy every label twice. `Out` is a std::string, which is appended to, or a Message.

/// A message whose size was known beforehand: nobody has to ask for room while it is written.
class Message {
public:
    explicit Message(std::size_t size)
        : size_{size}, bytes_{std::make_unique_for_overwrite<char[]>(size)}
    {}

    void push_back(char byte)
    {
        assert(written_ < size_);
        bytes_[written_++] = byte;
    }
    void append(std::string_view bytes)
    {
        assert(bytes.size() <= size_ - written_);
        std::memcpy(bytes_.get() + written_, bytes.data(), bytes.size());
        written_ += bytes.size();
    }
    /// Of all of it.
    std::string_view text() const
    {
        assert(written_ == size_);
        return {bytes_.get(), size_};
    }

private:
    std::size_t size_;
    std::size_t written_ = 0;
    std::unique_ptr<char[]> bytes_;
};

enum class Type : unsigned { varint = 0, fixed64 = 1, bytes = 2 };

template <class Out>
void tag(Out& out, unsigned field, Type type)
{
    out.push_back(static_cast<char>(field << 3U | static_cast<unsigned>(type)));
}

template <class Out>
void varint(Out& out, std::uint64_t value)
{
    for (; value >= 0x80; value >>= 7U)
        out.push_back(static_cast<char>(value | 0x80U));
    out.push_back(static_cast<char>(value));
}

constexpr std::size_t varint_size(std::uint64_t value)
{
    return (static_cast<std::size_t>(std::bit_width(value | 1U)) + 6) / 7;
}

/// Takes one off `bytes`. @return nullopt: they are not one.
std::optional<std::uint64_t> take_varint(std::string_view& bytes);

template <class Out>
void field_varint(Out& out, unsigned field, std::uint64_t value)
{
    tag(out, field, Type::varint);
    varint(out, value);
}

/// The bits as they are: a stale marker must not pass through arithmetic.
template <class Out>
void field_double(Out& out, unsigned field, double value)
{
    tag(out, field, Type::fixed64);
    static_assert(std::endian::native == std::endian::little);
    const auto bits = std::bit_cast<std::array<char, sizeof value>>(value);
    out.append(std::string_view{bits.data(), bits.size()});
}

/// Tag and length of a field: its content, of so many bytes, is to follow.
template <class Out>
void begin_field_bytes(Out& out, unsigned field, std::size_t bytes)
{
    tag(out, field, Type::bytes);
    varint(out, bytes);
}

template <class Out>
void field_bytes(Out& out, unsigned field, std::string_view bytes)
{
    begin_field_bytes(out, field, bytes.size());
    out.append(bytes);
}

/// Of a field with such a content: its tag and its length too.
constexpr std::size_t field_size(std::size_t content)
{
    return 1 + varint_size(content) + content;
}

/// One block of snappy's block format without its length, so that blocks can be joined.
struct Block {
    std::string body;
    std::size_t raw_size = 0;  ///< before compression
};
Block compress(std::string_view raw);

}  // namespace sonde::exporters::wire
