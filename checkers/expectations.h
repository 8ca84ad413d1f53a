#pragma once

#include "agent/base/error.h"

#include <re2/re2.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::checkers {

/// A compiled regular expression with the text it was made of. Go's dialect (spec 02 §1.7): search
/// is unanchored, `^` and `$` are the ends of the whole text, bytes that are not UTF-8 count as
/// U+FFFD.
class Pattern {
public:
    /// @return Error "bad_regex" with what is wrong.
    static Result<Pattern> compile(std::string_view text);

    bool found_in(std::string_view subject) const;
    const std::string& text() const { return text_; }

    /// What a match has captured; group 0 is the whole match, a group that took no part is empty.
    struct Captures {
        std::vector<std::string> groups;
        std::map<std::string, std::string> named;  ///< of equal names the first that took part
    };
    std::optional<Captures> match(std::string_view subject) const;

private:
    Pattern(std::string text, std::shared_ptr<const RE2> compiled)
        : text_{std::move(text)}, compiled_{std::move(compiled)}
    {}
    std::string text_;
    std::shared_ptr<const RE2> compiled_;
};

}  // namespace sonde::checkers
