// Members of request bodies that no schema message has: agent/control/http/json_text.
#include "agent/base/text.h"
#include "agent/control/http/json_text.h"
#include "config/json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace sonde;
    fuzz::Input input{data, size};
    const auto body = input.rest();
    const auto number = control::integer_member(body, "stackId");
    const auto text = control::text_member(body, "stackId");
    const auto flag = control::bool_member(body, "stackId");
    const auto raw = control::raw_member(body, "stackId");

    const bool fits = (number && *number) || (text && *text) || (flag && *flag);
    fuzz::require(raw || (number && text && flag), "no value, no complaint");
    fuzz::require(raw || !fits, "a member that has a value is there");
    if (raw) {
        const std::string again = control::with_members("{}", "\"stackId\":" + *raw);
        fuzz::require(control::raw_member(again, "stackId") == raw, "what was read reads the same");
    }
    if (text && *text)
        fuzz::require(control::quoted(**text) == *raw, "a string is quoted as it came");
    fuzz::require(text::is_utf8(control::quoted(body)), "any bytes become a JSON string");
    return 0;
}
