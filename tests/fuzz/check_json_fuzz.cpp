// Bodies of the API and checks of a control plane as JSON: config/json.
#include "agent/base/text.h"
#include "config/json.h"
#include "config/schema.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sonde;

/// What was read is written such that it reads the same.
template <class M>
void round_trip(std::string_view text)
{
    const auto message = config::from_json<M>(text);
    if (!message) {
        fuzz::require(!message.error().message.empty(), "an error says what is wrong");
        return;
    }
    const std::string written = config::write_json(*message);
    fuzz::require(text::is_utf8(written), "JSON is UTF-8");
    const auto again = config::from_json<M>(written);
    fuzz::require(again.has_value(), "what was written can be read");
    fuzz::require(config::write_json(*again) == written, "what was written reads the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = fuzz::Input{data, size}.rest();
    round_trip<pb::Check>(text);
    round_trip<pb::Probe>(text);
    if (const auto list = config::split_json_list(text))
        for (const std::string& element : *list)
            fuzz::require(text::is_utf8(element), "elements are UTF-8");
    return 0;
}
