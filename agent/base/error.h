#pragma once

#include <boost/system/result.hpp>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace sonde {

/// Why an operation of ours failed. All parts reach people: reason and cause dashboards and
/// scripts, the message whoever can mend it.
struct Error {
    // No aggregate: one string must not count as an Error, or no Result<std::string> could be made.
    Error() = default;
    Error(std::string_view its_reason, std::string its_message, std::string_view its_cause = {})
        : reason{its_reason}, message{std::move(its_message)}, cause{its_cause}
    {}

    std::string_view reason;  ///< a literal such as "bad_regex"; stable, never translated
    std::string message;      ///< "settings.tcp.queryResponse[2].expect: missing )"
    std::string_view cause;   ///< a literal, the finer ground where there is one: "ca"
};

/// A T, or the Error that prevented it; `Result<>` is success or Error.
template <class T = void>
using Result = boost::system::result<T, Error>;

template <class... Args>
Error error(std::string_view reason, fmt::format_string<Args...> text, Args&&... args)
{
    return {reason, fmt::format(text, std::forward<Args>(args)...)};
}

/// What `Result::value()` throws when there is none; found by argument-dependent lookup.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

}  // namespace sonde
