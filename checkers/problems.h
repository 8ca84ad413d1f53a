#pragma once

#include "agent/base/error.h"

#include <utility>
#include <vector>

namespace sonde::checkers {

/// All that is wrong with a check, in the order of its fields: whoever wrote it mends it in one go.
class Problems {
public:
    void add(Error problem) { all_.push_back(std::move(problem)); }

    bool none() const { return all_.empty(); }
    const std::vector<Error>& all() const { return all_; }

private:
    std::vector<Error> all_;
};

}  // namespace sonde::checkers
