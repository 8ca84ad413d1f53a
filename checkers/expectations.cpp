#include "checkers/expectations.h"

#include "agent/base/text.h"

#include <algorithm>

namespace sonde::checkers {
namespace {

constexpr std::int64_t most_memory = 64 << 20;  // bytes; with less, long bodies meet a slow matcher

/// Reads a pattern once for what this RE2 and Go see differently (spec 02 §9.4).
class Dialect {
public:
    explicit Dialect(std::string_view pattern) : rest_{pattern} {}

    /// The pattern as RE2 wants it. @return Error "bad_regex" for what only RE2 accepts.
    Result<std::string> to_re2()
    {
        while (!rest_.empty()) {
            if (!in_class_ && rest_.starts_with("\\Q"))
                take(std::min(rest_.find("\\E"), rest_.size()));  // literal text
            else if (!in_class_ && rest_.starts_with("\\C"))
                return error("bad_regex", "invalid escape sequence: \\C");
            else if (rest_.front() == '\\')
                take(2);
            else if (in_class_)
                in_class();
            else if (rest_.front() == '[')
                begin_class();
            else if (rest_.starts_with("(?P<") || rest_.starts_with("(?<")) {
                if (auto named = group_name(); !named)
                    return named.error();
            } else
                take(1);
        }
        return std::move(out_);
    }

private:
    void take(std::size_t count)
    {
        out_ += rest_.substr(0, count);
        rest_.remove_prefix(std::min(count, rest_.size()));
    }

    void begin_class()
    {
        in_class_ = true;
        take(1);
        if (rest_.starts_with('^'))
            take(1);
        if (rest_.starts_with(']'))
            take(1);  // a literal one, right at the start
    }

    void in_class()
    {
        const auto end = rest_.find(":]");
        if (rest_.starts_with("[:") && end != std::string_view::npos)
            return take(end + 2);  // [:alpha:]
        in_class_ = rest_.front() != ']';
        take(1);
    }

    /// Go writes (?<name>…) too, this RE2 only knows (?P<name>…); and it lets any letter be in one.
    Result<> group_name()
    {
        const auto begin = rest_.find('<') + 1;
        const auto end = std::min(rest_.find('>', begin), rest_.size());
        const std::string_view name = rest_.substr(begin, end - begin);
        const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                   c == '_';
        });
        if (name.empty() || !plain || end == rest_.size())
            return error("bad_regex", "invalid named capture: {}", rest_.substr(0, end + 1));
        out_ += "(?P<";
        rest_.remove_prefix(begin);
        take(name.size());
        return {};
    }

    std::string_view rest_;
    std::string out_;
    bool in_class_ = false;
};

/// Where `offset` of the repaired text was in `subject` (text::repair_utf8).
std::size_t original_offset(std::string_view subject, std::string_view repaired, std::size_t offset)
{
    constexpr std::string_view replacement = "\xef\xbf\xbd";
    std::size_t at = 0;
    for (std::size_t from = 0; from < offset;) {
        if (repaired.substr(from, replacement.size()) != replacement) {
            ++from;
            ++at;
            continue;
        }
        const bool was_there = subject.substr(at, replacement.size()) == replacement;
        at += was_there ? replacement.size() : 1;
        from += replacement.size();
    }
    return at;
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text)
{
    if (!text::is_utf8(text))
        return error("bad_regex", "pattern is not UTF-8");
    const auto translated = Dialect{text}.to_re2();
    if (!translated)
        return translated.error();
    RE2::Options options{RE2::Quiet};
    options.set_max_mem(most_memory);
    auto compiled = std::make_shared<const RE2>(*translated, options);
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
        return whole ? offset : original_offset(subject, repaired, offset);
    };
    Captures captures;
    for (const re2::StringPiece& piece : pieces) {
        if (!piece.data()) {
            captures.groups.emplace_back();
            continue;
        }
        const auto begin = static_cast<std::size_t>(piece.data() - searched.data());
        const std::size_t first = original(begin);
        const std::size_t last = original(begin + piece.size());
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
