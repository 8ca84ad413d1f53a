// What a TCP server says, and what the dialogue makes of it: checkers/tcp/dialogue. The first line
// of an input is a template, the rest the stream.
#include "checkers/tcp/dialogue.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <vector>

namespace {

using namespace sonde;
using namespace checkers::tcp;

struct Lines {
    std::vector<std::string> lines;
    std::optional<std::string> rest;
};

Lines cut(std::string_view stream, std::size_t piece)
{
    LineBuffer buffer;
    Lines found;
    while (!stream.empty()) {
        buffer.add(stream.substr(0, piece));
        stream.remove_prefix(std::min(piece, stream.size()));
        while (auto line = buffer.next())
            found.lines.push_back(std::move(*line));
        fuzz::require(!buffer.too_long(), "inputs are shorter than the longest line");
    }
    found.rest = buffer.rest();
    fuzz::require(!buffer.rest() && buffer.discard() == 0, "the rest is taken once");
    return found;
}

void check_lines(std::string_view stream)
{
    const Lines whole = cut(stream, stream.size());
    const Lines bytewise = cut(stream, 1);
    fuzz::require(whole.lines == bytewise.lines && whole.rest == bytewise.rest,
        "how the bytes come makes no difference");
    // A CR goes with the end of its line, also of a last one that has no LF.
    std::size_t most = (whole.rest ? whole.rest->size() : 0) + (stream.ends_with('\r') ? 1 : 0);
    for (const std::string& line : whole.lines) {
        fuzz::require(line.find('\n') == std::string::npos, "a line has no LF");
        most += line.size() + 2;
    }
    fuzz::require(whole.lines.size() ==
                      static_cast<std::size_t>(std::count(stream.begin(), stream.end(), '\n')),
        "each LF ends a line");
    fuzz::require(stream.size() <= most, "no byte is lost");
}

void check_template(std::string_view text, std::string_view first_line)
{
    static const auto pattern = *checkers::Pattern::compile("^(\\w*)(?P<word>[^;]*)(;.*)?");
    const auto captures = pattern.match(first_line);
    if (!captures)
        return;
    fuzz::require(first_line.starts_with(captures->groups[0]), "what matched is of the line");
    const std::string sent = expand(text, *captures);
    if (text.find('$') == std::string_view::npos)
        fuzz::require(sent == text, "a text without $ stays");
    std::string escaped;
    for (const char c : text)
        escaped.append(c == '$' ? 2 : 1, c);
    fuzz::require(expand(escaped, *captures) == text, "$$ stands for $");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size >= longest_line)
        return 0;
    fuzz::Input input{data, size};
    const auto text = input.line();
    const auto stream = input.rest();
    check_lines(stream);
    check_template(text, stream.substr(0, stream.find('\n')));
    return 0;
}
