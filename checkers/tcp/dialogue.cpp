#include "checkers/tcp/dialogue.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace sonde::checkers::tcp {
namespace {

/// Length of the name at the start of `text`: letters and digits of all scripts, and `_`.
std::size_t name_length(std::string_view text)
{
    static const RE2 name{R"([\p{L}\p{Nd}_]+)"};
    re2::StringPiece found;
    return name.Match(text, 0, text.size(), RE2::ANCHOR_START, &found, 1) ? found.size() : 0;
}

bool is_number(std::string_view name)
{
    const bool digits =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
    return digits && (name.size() == 1 || name.front() != '0');
}

std::string value_of(std::string_view name, const Pattern::Captures& captures)
{
    if (is_number(name)) {
        std::size_t index = 0;
        const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), index);
        return failure == std::errc{} && index < captures.groups.size() ? captures.groups[index]
                                                                        : "";
    }
    const auto found = captures.named.find(std::string{name});
    return found == captures.named.end() ? "" : found->second;
}

std::string without_cr(std::string line)
{
    if (line.ends_with('\r'))
        line.pop_back();
    return line;
}

}  // namespace

std::optional<std::string> LineBuffer::next()
{
    const auto end = buffer_.find('\n');
    if (end == std::string::npos || end >= longest_line)
        return std::nullopt;
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return without_cr(std::move(line));
}

std::optional<std::string> LineBuffer::rest()
{
    if (buffer_.empty())
        return std::nullopt;
    return without_cr(std::exchange(buffer_, {}));
}

bool LineBuffer::too_long() const
{
    const auto end = std::string_view{buffer_}.substr(0, longest_line).find('\n');
    return buffer_.size() >= longest_line && end == std::string_view::npos;
}

std::size_t LineBuffer::discard()
{
    return std::exchange(buffer_, {}).size();
}

std::string expand(std::string_view text, const Pattern::Captures& captures)
{
    std::string out;
    for (auto dollar = text.find('$'); dollar != std::string_view::npos; dollar = text.find('$')) {
        out += text.substr(0, dollar);
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            out += '$';
            text.remove_prefix(1);
            continue;
        }
        const bool braced = text.starts_with('{');
        const std::string_view rest = braced ? text.substr(1) : text;
        const std::size_t length = name_length(rest);
        if (length == 0 || (braced && rest.substr(length, 1) != "}")) {
            out += '$';  // starts neither form
            continue;
        }
        out += value_of(rest.substr(0, length), captures);
        text.remove_prefix(length + (braced ? 2 : 0));
    }
    return out.append(text);
}

}  // namespace sonde::checkers::tcp
