// ICMP messages that come in: checkers/ping/echo.
#include "checkers/ping/echo.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sonde;
namespace ping = checkers::ping;

void check_message(bool v6, std::string_view message, std::string_view token)
{
    const auto reply = ping::parse_reply(v6, message);
    if (!reply)
        return;
    fuzz::require(reply->data.size() + 8 == message.size(), "a reply is a header and its data");
    for (const std::size_t size : {std::size_t{0}, std::size_t{16}, reply->data.size()})
        fuzz::require(!ping::is_ours(reply->data, size, token) || reply->data.size() == size,
            "ours has the size that was sent");
}

/// The bytes of a request, sent back as a reply.
void check_echo(bool v6, std::size_t size, std::string_view token)
{
    const std::string data = ping::payload(size, token, std::chrono::nanoseconds{1});
    std::string message = ping::request(v6, 0x1234, 0xfedc, data);
    fuzz::require(v6 || ping::checksum(message) == 0, "a message sums up to nothing");
    fuzz::require(!ping::parse_reply(v6, message), "a request is no reply");
    message[0] = static_cast<char>(v6 ? 129 : 0);
    const auto reply = ping::parse_reply(v6, message);
    fuzz::require(reply && reply->id == 0x1234 && reply->sequence == 0xfedc && reply->data == data,
        "an echo is what was sent");
    fuzz::require(ping::is_ours(reply->data, size, token), "and ours");
    fuzz::require(!ping::is_ours(reply->data, size + 1, token), "unless its size is another");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const bool v6 = input.choice(2) == 1;
    const std::size_t payload = input.choice(256);
    const auto message = input.rest();
    std::string token{message.substr(0, ping::token_size)};
    token.resize(ping::token_size, 'x');
    check_message(v6, message, token);
    check_echo(v6, payload, token);
    return 0;
}
