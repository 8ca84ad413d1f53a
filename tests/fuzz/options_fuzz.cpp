// Single values of options and targets: config/values, agent/base/host_port, agent/base/text.
#include "agent/base/host_port.h"
#include "agent/base/text.h"
#include "config/values.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sonde;

void check_values(std::string_view word)
{
    if (const auto time = config::parse_duration(word)) {
        const auto again = config::parse_duration(config::print_duration(*time));
        fuzz::require(again && *again == *time, "a duration reads the same again");
    }
    if (const auto bytes = config::parse_size(word)) {
        const auto again = config::parse_size(config::print_size(*bytes));
        fuzz::require(again && *again == *bytes, "a size reads the same again");
    }
    config::absolute(std::string{word}, "/etc/sonde");
}

void check_address(std::string_view word)
{
    const auto address = split_host_port(word);
    if (!address)
        return;
    const auto again = split_host_port(address->text());
    fuzz::require(again && *again == *address, "an address reads the same again");
    if (is_ip_literal(address->host))
        fuzz::require(is_host(address->host), "an IP literal is a host");
}

void check_text(std::string_view word, std::size_t limit)
{
    const auto decoded = text::from_base64(text::base64(word));
    fuzz::require(decoded && *decoded == word, "base64 reads the same again");
    if (const auto bytes = text::from_base64(word))
        fuzz::require(
            text::from_base64(text::base64(*bytes)).value() == *bytes, "as does its text");
    fuzz::require(text::is_utf8(text::repair_utf8(word)), "what was repaired is UTF-8");
    fuzz::require(!text::is_utf8(word) || text::repair_utf8(word) == word, "UTF-8 needs no repair");
    const std::string shortened = text::shorten(word, limit);
    fuzz::require(shortened.size() <= limit, "what was shortened fits");
    fuzz::require(!text::is_utf8(word) || text::is_utf8(shortened), "it is cut between characters");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const std::size_t limit = input.choice(64);
    const auto word = input.rest();
    check_values(word);
    check_address(word);
    check_text(word, limit);
    return 0;
}
