// Responses of DNS servers: checkers/dns/query and record_text.
#include "checkers/dns/query.h"
#include "checkers/dns/record_text.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <array>

namespace {

using namespace sonde;
using checkers::dns::Record;

bool is_printable(std::string_view text, std::string_view besides)
{
    return std::all_of(text.begin(), text.end(), [besides](char c) {
        return (c >= 0x20 && c <= 0x7e) || besides.find(c) != std::string_view::npos;
    });
}

void check_record(const Record& record)
{
    constexpr std::uint16_t opt = 41;
    fuzz::require(is_printable(record.text, record.type == opt ? "\n" : "\t"),
        "a record is one line of printable characters");
    const auto wire = checkers::dns::encode_name(record.owner);
    fuzz::require(wire.has_value(), "an owner that was read can be asked for");
    fuzz::require(checkers::dns::Reader{*wire, 0, wire->size()}.name() == record.owner,
        "an owner reads the same again");
    fuzz::require(record.serial.has_value() == (record.type == 6), "SOA has a serial number");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static constexpr std::array<std::uint16_t, 10> types{1, 5, 6, 15, 16, 28, 33, 255, 257, 43};
    static const std::string name = *checkers::dns::encode_name("example.org");
    fuzz::Input input{data, size};
    const std::uint16_t type = types.at(input.choice(types.size()));
    const auto bytes = input.rest();
    const auto id = checkers::dns::Reader{bytes, 0, bytes.size()}.u16().value_or(0);

    const auto reading = checkers::dns::read_response(bytes, id, name, type);
    if (reading.fit != checkers::dns::Fit::response) {
        fuzz::require(!reading.why.empty(), "a refused message has a reason");
        return 0;
    }
    const auto& message = reading.message;
    fuzz::require(message.id == id, "a response has the id of the query");
    for (const auto* section : {&message.answer, &message.authority, &message.additional})
        std::for_each(section->begin(), section->end(), check_record);
    fuzz::require(is_printable(to_text(message), "\t\n"), "a message is printable");
    return 0;
}
