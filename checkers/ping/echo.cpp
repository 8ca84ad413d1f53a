#include "checkers/ping/echo.h"

#include <random>

namespace sonde::checkers::ping {
namespace {

constexpr std::size_t header_size = 8;
constexpr std::size_t time_size = 8;

void put_u16(std::string& out, unsigned value)
{
    out += static_cast<char>(value >> 8U & 0xffU);
    out += static_cast<char>(value & 0xffU);
}

unsigned get_u16(std::string_view bytes, std::size_t at)
{
    return static_cast<unsigned char>(bytes[at]) << 8U | static_cast<unsigned char>(bytes[at + 1]);
}

/// What follows the time, or all there is when there is no room for one.
std::string repeated(std::string_view token, std::size_t size)
{
    std::string out;
    while (out.size() < size)
        out += token;
    out.resize(size);
    return out;
}

}  // namespace

std::string random_token()
{
    static std::mt19937_64 engine{std::random_device{}()};
    std::string token;
    while (token.size() < token_size) {
        const std::uint64_t bits = engine();
        for (unsigned shift = 0; shift < 64; shift += 8)
            token += static_cast<char>(bits >> shift & 0xffU);
    }
    return token;
}

std::string payload(std::size_t size, std::string_view token, std::chrono::nanoseconds time)
{
    if (size < time_size + token_size)
        return repeated(token, size);
    std::string data;
    for (unsigned shift = 64; shift > 0; shift -= 8)
        data += static_cast<char>(static_cast<std::uint64_t>(time.count()) >> (shift - 8) & 0xffU);
    data += token;
    data.resize(size, '\x01');
    return data;
}

std::string request(bool v6, std::uint16_t id, std::uint16_t sequence, std::string_view data)
{
    std::string message;
    message.reserve(header_size + data.size());
    message += static_cast<char>(v6 ? 128 : 8);
    message += '\0';
    put_u16(message, 0);
    put_u16(message, id);
    put_u16(message, sequence);
    message += data;
    if (!v6) {
        const std::uint16_t sum = checksum(message);
        message[2] = static_cast<char>(sum >> 8U);
        message[3] = static_cast<char>(sum & 0xffU);
    }
    return message;
}

std::optional<Reply> parse_reply(bool v6, std::string_view message)
{
    if (message.size() < header_size || static_cast<unsigned char>(message[0]) != (v6 ? 129 : 0) ||
        message[1] != 0)
        return std::nullopt;
    return Reply{static_cast<std::uint16_t>(get_u16(message, 4)),
        static_cast<std::uint16_t>(get_u16(message, 6)), message.substr(header_size)};
}

bool is_ours(std::string_view data, std::size_t size, std::string_view token)
{
    if (data.size() != size)
        return false;
    if (size < time_size + token_size)
        return data == repeated(token, size);
    return data.substr(time_size, token_size) == token;
}

std::chrono::nanoseconds round_trip(
    std::chrono::nanoseconds passed, std::chrono::nanoseconds waited)
{
    return waited >= waited.zero() && waited <= passed ? passed - waited : passed;
}

std::uint16_t checksum(std::string_view bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += get_u16(bytes, i);
    if (bytes.size() % 2 != 0)
        sum += static_cast<std::uint32_t>(static_cast<unsigned char>(bytes.back())) << 8U;
    while (sum > 0xffffU)
        sum = (sum & 0xffffU) + (sum >> 16U);
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace sonde::checkers::ping
