#pragma once

#include "agent/base/error.h"
#include "checkers/check_log.h"

#include <string_view>
#include <utility>
#include <vector>

namespace sonde::checkers {

/// What is wrong with a field, and the attributes of its code (spec 02 §1.10).
struct Problem : Error {
    explicit Problem(Error what, CheckLog::Fields its_attributes = {})
        : Error{std::move(what)}, attributes{std::move(its_attributes)}
    {}
    CheckLog::Fields attributes;
};

/// All that is wrong with a check, in the order of its fields: whoever wrote it mends it in one go.
class Problems {
public:
    void add(Error problem) { all_.emplace_back(std::move(problem)); }
    void add_pattern(Error problem, std::string_view pattern)
    {
        CheckLog::Fields attributes;
        attributes.emplace_back("regexp", pattern);
        all_.emplace_back(std::move(problem), std::move(attributes));
    }

    bool none() const { return all_.empty(); }
    const std::vector<Problem>& all() const { return all_; }

private:
    std::vector<Problem> all_;
};

}  // namespace sonde::checkers
