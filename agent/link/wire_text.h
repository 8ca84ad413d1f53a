#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace google::protobuf {
class Descriptor;
}

namespace sonde::link {

/// A field of a message in protobuf's wire format.
struct WireField {
    std::uint64_t number = 0;
    bool has_content = false;  ///< of wire type 2: text, bytes, a message
    std::string_view whole;    ///< tag and all
    std::string_view content;  ///< of such a field, without tag and length
};

/// Takes the first field off `bytes`. @return nullopt when there is none that is well-formed.
std::optional<WireField> take_field(std::string_view& bytes);

/// The message of this type in `bytes` with all text in well-formed UTF-8, each ill-formed byte
/// having become U+FFFD. A parser of proto3 refuses a whole message for one such byte, while those
/// of Go let it pass in both directions (spec 01 §4). @return nullopt: it is no message.
std::optional<std::string> with_repaired_text(
    const google::protobuf::Descriptor& type, std::string_view bytes);

}  // namespace sonde::link
