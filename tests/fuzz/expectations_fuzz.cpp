// Patterns of checks, searched in what servers say: checkers/expectations. The first line of an
// input is the pattern.
#include "agent/base/text.h"
#include "checkers/expectations.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace sonde;
using checkers::Pattern;

/// Captures are the very bytes of the subject, valid or not, that stand where it matches once it
/// has been repaired.
void check_captures(const Pattern& pattern, std::string_view subject)
{
    const auto captures = pattern.match(subject);
    const auto repaired = pattern.match(text::repair_utf8(subject));
    fuzz::require(captures.has_value() == pattern.found_in(subject), "both ways find the same");
    fuzz::require(captures.has_value() == repaired.has_value(), "broken bytes count as U+FFFD");
    if (!captures)
        return;
    for (std::size_t i = 0; i < captures->groups.size(); ++i) {
        const std::string& group = captures->groups[i];
        fuzz::require(subject.find(group) != std::string_view::npos, "captures are of the subject");
        fuzz::require(text::repair_utf8(group) == repaired->groups.at(i), "and of the right place");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const auto text = input.line();
    const auto subject = input.rest();
    static const auto takes_apart = *Pattern::compile("(?s)^(.)?(.)?(.*?)(x.)?(\\d*)(.?)$");
    check_captures(takes_apart, subject);
    const auto pattern = Pattern::compile(text);
    if (!pattern) {
        fuzz::require(!pattern.error().message.empty(), "an error says what is wrong");
        return 0;
    }
    fuzz::require(pattern->text() == text, "a pattern knows its text");
    check_captures(*pattern, subject);
    return 0;
}
