#pragma once

#include "agent/base/error.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace sonde::log {

enum class Level { error, warning, info, debug, trace };
enum class Format { json, text };
enum class Destination { standard_error, standard_output };

/// "error", "warning", "info", "debug", "trace".
Result<Level> parse_level(std::string_view name);

/// Which lines are written, how and where to. Before the first call: warnings and errors, as text
/// on standard error. Any thread.
/// Format::json: one object a line, as the reference agent has it (spec 01 §12.4): level, program,
/// subsystem, the fields, time in Unix milliseconds, message. Format::text: logfmt; with
/// `priorities` each line begins with the journal's "<3>" (sd-daemon(3)).
/// The process ignores SIGPIPE, or a closed pipe ends it.
void configure(Level level, Format format, bool priorities = false,
    Destination to = Destination::standard_error);

/// Until the next call, or configure(). Any thread.
void set_level(Level level);
/// The level that configure() was given, whatever set_level() has made of it.
Level configured_level();

/// Lines that could not be written since the process began: nobody reads at the other end, the disk
/// is full. They are not kept: a check that is on time is worth more than a line.
std::uint64_t dropped();

struct Field {
    template <class T>
    Field(std::string_view name, const T& content) : key{name}, value{fmt::to_string(content)}
    {
        if constexpr (std::is_floating_point_v<T>)
            bare = std::isfinite(content);
        else
            bare = std::is_arithmetic_v<T> && !std::is_same_v<T, char>;
    }

    std::string_view key;
    std::string value;
    bool bare = false;  ///< a number or a boolean, which JSON writes without quotes
};

/// One per source, named after its room; a thin face over spdlog that keeps fields apart.
/// Any thread. The message is a constant, what varies is a field.
class Logger {
public:
    using Fields = std::initializer_list<Field>;

    explicit constexpr Logger(std::string_view subsystem) : subsystem_{subsystem} {}
    void error(std::string_view message, Fields fields = {}) const;
    void warning(std::string_view message, Fields fields = {}) const;
    void info(std::string_view message, Fields fields = {}) const;
    void debug(std::string_view message, Fields fields = {}) const;

private:
    std::string_view subsystem_;
};

}  // namespace sonde::log
