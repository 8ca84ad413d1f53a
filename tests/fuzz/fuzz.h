#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace sonde::fuzz {

/// Ends the program when a promise of the code under test is broken: the input is then a finding.
inline void require(bool holds, std::string_view promise)
{
    if (holds)
        return;
    std::fprintf(
        stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
    std::abort();
}

/// An input taken apart: choices in front, the bytes to be parsed behind. The parts are views of
/// the input itself, so the address sanitizer sees each byte that is read beyond its end.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size)
        : left_{reinterpret_cast<const char*>(data), size}
    {}

    /// A number below `choices` of the first byte; 0 when nothing is left. Digits stand for
    /// themselves, so that seeds can be text.
    unsigned choice(unsigned choices)
    {
        if (left_.empty())
            return 0;
        const auto byte = static_cast<unsigned char>(left_.front());
        left_.remove_prefix(1);
        return (byte >= '0' && byte <= '9' ? byte - '0' : byte) % choices;
    }

    /// Up to the next LF, which is left out, or all that is left.
    std::string_view line()
    {
        const auto end = left_.find('\n');
        const auto found = left_.substr(0, end);
        left_.remove_prefix(end == std::string_view::npos ? left_.size() : end + 1);
        return found;
    }

    std::string_view rest() const { return left_; }
    bool empty() const { return left_.empty(); }

private:
    std::string_view left_;
};

}  // namespace sonde::fuzz
