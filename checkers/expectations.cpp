#include "checkers/expectations.h"

#include "agent/base/text.h"

namespace sonde::checkers {
namespace {

/// Go writes named groups as (?<name>…) too; this RE2 only knows (?P<name>…).
std::string to_re2(std::string_view pattern)
{
    std::string out;
    bool in_class = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char c = pattern[i];
        if (c == '\\' && i + 1 < pattern.size()) {
            if (pattern[i + 1] == 'Q') {  // literal text up to \E
                const auto end = std::min(pattern.find("\\E", i), pattern.size());
                out += pattern.substr(i, end - i);
                i = end - 1;
                continue;
            }
            out += c;
            out += pattern[++i];
            continue;
        }
        if (in_class)
            in_class = c != ']';
        else if (c == '[') {
            in_class = true;
            out += c;
            if (i + 1 < pattern.size() && pattern[i + 1] == '^')
                out += pattern[++i];
            if (i + 1 < pattern.size() && pattern[i + 1] == ']')
                out += pattern[++i];  // a literal ] right at the start
            continue;
        } else if (pattern.substr(i, 3) == "(?<") {
            out += "(?P<";
            i += 2;
            continue;
        }
        out += c;
    }
    return out;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text)
{
    if (!text::is_utf8(text))
        return error("bad_regex", "pattern is not UTF-8");
    RE2::Options options{RE2::Quiet};
    auto compiled = std::make_shared<const RE2>(to_re2(text), options);
    if (!compiled->ok())
        return error("bad_regex", "{}", compiled->error());
    return Pattern{std::string{text}, std::move(compiled)};
}

std::optional<Pattern::Captures> Pattern::match(std::string_view subject) const
{
    // Captures are bytes of the subject: where it had to be repaired, offsets are mapped back.
    const bool whole = text::is_utf8(subject);
    const std::string repaired = whole ? std::string{} : text::repair_utf8(subject);
    const std::string_view searched = whole ? subject : std::string_view{repaired};
    std::vector<re2::StringPiece> pieces(
        static_cast<std::size_t>(compiled_->NumberOfCapturingGroups()) + 1);
    if (!compiled_->Match(searched, 0, searched.size(), RE2::UNANCHORED, pieces.data(),
            static_cast<int>(pieces.size())))
        return std::nullopt;
    const auto original = [&](std::size_t offset) {
        std::size_t at = 0;
        for (std::size_t from = 0; from < offset && at < subject.size(); ++at)
            from += searched[from] == subject[at] ? 1 : 3;
        return at;
    };
    Captures captures;
    for (const re2::StringPiece& piece : pieces) {
        if (!piece.data()) {
            captures.groups.emplace_back();
            continue;
        }
        const auto begin = static_cast<std::size_t>(piece.data() - searched.data());
        const std::size_t first = whole ? begin : original(begin);
        const std::size_t last = whole ? begin + piece.size() : original(begin + piece.size());
        captures.groups.emplace_back(subject.substr(first, last - first));
    }
    for (const auto& [number, name] : compiled_->CapturingGroupNames())
        if (pieces[static_cast<std::size_t>(number)].data())
            captures.named.emplace(name, captures.groups[static_cast<std::size_t>(number)]);
    return captures;
}

bool Pattern::found_in(std::string_view subject) const
{
    if (text::is_utf8(subject))
        return RE2::PartialMatch(subject, *compiled_);
    return RE2::PartialMatch(text::repair_utf8(subject), *compiled_);
}

}  // namespace sonde::checkers
