#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::exporters::wire {

// Protobuf's encoding (field numbers below 16), appended to a buffer: what is pushed has few
// fields, and messages built first would copy every label twice.

void varint(std::string& out, std::uint64_t value);
/// Takes one off `bytes`. @return nullopt: they are not one.
std::optional<std::uint64_t> take_varint(std::string_view& bytes);
void field_varint(std::string& out, unsigned field, std::uint64_t value);
/// The bits as they are: a stale marker must not pass through arithmetic.
void field_double(std::string& out, unsigned field, double value);
void field_bytes(std::string& out, unsigned field, std::string_view bytes);
/// Tag and length of a field: its content, of so many bytes, is to follow.
void begin_field_bytes(std::string& out, unsigned field, std::size_t bytes);

/// One block of snappy's block format without its length, so that blocks can be joined.
struct Block {
    std::string body;
    std::size_t raw_size = 0;  ///< before compression
};
Block compress(std::string_view raw);

}  // namespace sonde::exporters::wire
