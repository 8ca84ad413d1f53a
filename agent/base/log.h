#pragma once

#include "agent/base/error.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace sonde::log {

enum class Level { error, warning, info, debug, trace };
enum class Format { json, text };

/// "error", "warning", "info", "debug", "trace".
Result<Level> parse_level(std::string_view name);

/// Where lines go (standard error) and which. Before the first call: text, warnings and errors.
/// `priorities`: each line begins with the journal's "<3>".
void configure(Level level, Format format, bool priorities = false);

struct Field {
    template <class T>
    Field(std::string_view name, const T& content) : key{name}, value{fmt::to_string(content)}
    {}

    std::string_view key;
    std::string value;
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
