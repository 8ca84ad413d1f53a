#pragma once

#include <span>
#include <string_view>

namespace sonde::tests {

/// The programs of pairs: one for each test case of this folder.
enum class Program { http, https, dns, tcp, ping };

/// Where we and the package may, and then must, disagree.
struct Difference {
    Program program;
    std::string_view pairs;   ///< their names, one blank between
    std::string_view series;  ///< as in Facts, one blank between
    std::string_view ours;    ///< its value as in Facts, "present" for any, "absent"
    std::string_view theirs;  ///< the same
    std::string_view reason;  ///< a deviation of spec 02 §8, or §11
};

std::span<const Difference> allowed_differences();

}  // namespace sonde::tests
