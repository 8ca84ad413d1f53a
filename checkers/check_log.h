#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sonde::checkers {

/// A key of a log line with its value as logfmt shows it before quoting. Keys are literals.
struct LogField {
    template <class T>
        requires std::is_arithmetic_v<T>
    LogField(std::string_view name, T number) : key{name}, value{text_of(number)}
    {}
    LogField(std::string_view name, std::string_view text) : key{name}, value{text} {}

    std::string_view key;  ///< a literal
    std::string value;

private:
    static std::string text_of(bool value);
    static std::string text_of(double value);
    static std::string text_of(std::int64_t value);
    template <class T>
        requires(
            std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, std::int64_t>)
    static std::string text_of(T value)
    {
        return text_of(static_cast<std::int64_t>(value));
    }
};

/// One line for the check's owner.
struct LogEntry {
    enum class Level { debug, info, warn, error };
    /// Where the level stands and how it is written (spec 03 §5.4).
    enum class Layout { wrapper, structured };

    std::chrono::system_clock::time_point time;
    Level level;
    Layout layout;
    std::string message;
    std::vector<LogField> fields;
};

/// The lines a run writes for the check's owner, in order. Times never go back, whatever the clock
/// does (spec 03 §5.2).
class CheckLog {
public:
    using Level = LogEntry::Level;
    using Layout = LogEntry::Layout;
    /// Room for what most lines have is made at once.
    struct Fields : std::vector<LogField> {
        using vector::vector;
        template <class... Args>
        void emplace_back(Args&&... args)
        {
            if (empty())
                reserve(usual_fields);
            vector::emplace_back(std::forward<Args>(args)...);
        }
    };

    /// `layout` is that of the kind's own lines.
    explicit CheckLog(Layout layout) : layout_{layout} { entries_.reserve(usual_lines); }

    void write(Level level, std::string_view message, Fields fields = {});
    void debug(std::string_view message, Fields fields = {})
    {
        write(Level::debug, message, std::move(fields));
    }
    void info(std::string_view message, Fields fields = {})
    {
        write(Level::info, message, std::move(fields));
    }
    void warn(std::string_view message, Fields fields = {})
    {
        write(Level::warn, message, std::move(fields));
    }
    void error(std::string_view message, Fields fields = {})
    {
        write(Level::error, message, std::move(fields));
    }

    /// A line of the wrapper around every kind.
    void frame(Level level, std::string_view message, Fields fields);

    std::vector<LogEntry> take() { return std::move(entries_); }

private:
    static constexpr std::size_t usual_lines = 16;
    static constexpr std::size_t usual_fields = 6;

    void add(Layout layout, Level level, std::string_view message, Fields fields);

    Layout layout_;
    std::vector<LogEntry> entries_;
};

}  // namespace sonde::checkers
