// What may stand in the file that keeps what the API said: agent/link/state_file.
#include "agent/link/state_file.h"
#include "exporters/segment_format.h"
#include "tests/fuzz/fuzz.h"

#include <google/protobuf/stubs/logging.h>

#include <string>

namespace {

using namespace sonde;

/// Whatever stands in the file is told apart from what this program wrote.
void check_file(std::string_view content)
{
    const auto state = link::decode_state(content);
    if (!state) {
        fuzz::require(state.error().reason == "state_file", "a refusal says of what");
        fuzz::require(!state.error().message.empty(), "and why");
        return;
    }
    const auto again = link::decode_state(link::encode(*state));
    fuzz::require(again.has_value(), "what can be read can be written");
    fuzz::require(link::encode(*again) == link::encode(*state), "and is the same");
}

/// A file whose first line is right: the checksum stops no input then.
std::string framed(std::string_view body)
{
    const std::string content{body};
    return fmt::format("sonde-api-state 1 {:08x} {}\n{}", exporters::segment::crc32c(content),
        content.size(), content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    google::protobuf::SetLogHandler(nullptr);
    fuzz::Input input{data, size};
    if (input.choice(2) == 0) {
        check_file(input.rest());
        return 0;
    }
    const auto file = framed(input.rest());
    check_file(file);
    fuzz::require(link::decode_state(std::string_view{file}.substr(0, file.size() - 1)).has_error(),
        "a file that was cut is refused");
    return 0;
}
