// Names to ask for: checkers/dns/query, encode_name() and what reads the same back.
#include "checkers/dns/query.h"
#include "checkers/dns/record_text.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace sonde;
    const auto name = fuzz::Input{data, size}.rest();
    checkers::dns::reverse_name(name);
    const auto wire = checkers::dns::encode_name(name);
    if (!wire)
        return 0;
    fuzz::require(wire->size() <= 255 && wire->back() == '\0', "a name on the wire has 255 bytes");
    const auto text = checkers::dns::Reader{*wire, 0, wire->size()}.name();
    fuzz::require(text.has_value(), "what was encoded can be read");
    const auto again = checkers::dns::encode_name(*text);
    fuzz::require(again && *again == *wire, "a name survives its presentation form");
    const auto query = checkers::dns::build_query(1, *wire, 1);
    fuzz::require(query.size() == 12 + wire->size() + 4, "a query is a header and a question");
    return 0;
}
