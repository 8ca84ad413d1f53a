#include "agent/base/log.h"

#include "agent/base/logfmt.h"
#include "agent/base/text.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>

namespace sonde::log {
namespace {

// Set once at start and by a reload, read by every thread that logs.
std::atomic<Format> format_now{Format::text};
std::atomic<bool> priorities_now{false};

struct Name {
    std::string_view text;
    spdlog::level::level_enum level;
    int priority;  // syslog's
};
constexpr Name names[] = {{"error", spdlog::level::err, 3}, {"warning", spdlog::level::warn, 4},
    {"info", spdlog::level::info, 6}, {"debug", spdlog::level::debug, 7},
    {"trace", spdlog::level::trace, 7}};

std::shared_ptr<spdlog::logger> sink()
{
    static const auto logger = [] {
        auto made = std::make_shared<spdlog::logger>(
            "sonde", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%v");
        made->set_level(spdlog::level::warn);
        return made;
    }();
    return logger;
}

void append_json(std::string& line, std::string_view key, std::string_view value)
{
    const auto quote = [&line](std::string_view raw) {
        line += '"';
        for (const char c : text::repair_utf8(raw)) {
            if (c == '"' || c == '\\')
                line += {'\\', c};
            else if (static_cast<unsigned char>(c) < ' ')
                line += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
            else
                line += c;
        }
        line += '"';
    };
    line += line.empty() ? "{" : ",";
    quote(key);
    line += ':';
    quote(value);
}

std::string timestamp()
{
    const auto now = std::chrono::system_clock::now();
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    const std::time_t time = std::chrono::system_clock::to_time_t(second);
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - second).count();
    return fmt::format("{}.{:03}Z", text, ms);
}

void write(Level level, std::string_view subsystem, std::string_view message, Logger::Fields fields)
{
    const Name& name = names[static_cast<int>(level)];
    const auto logger = sink();
    if (!logger->should_log(name.level))
        return;
    const Format format = format_now;  // once: a reload in between must not tear the line
    std::string line;
    const auto append = format == Format::json ? append_json : logfmt::append;
    append(line, "ts", timestamp());
    append(line, "level", name.text);
    append(line, "subsystem", subsystem);
    append(line, "msg", message);
    for (const Field& field : fields)
        append(line, field.key, field.value);
    if (format == Format::json)
        line += '}';
    if (priorities_now)
        line.insert(0, fmt::format("<{}>", name.priority));
    logger->log(name.level, "{}", line);
    logger->flush();
}

}  // namespace

Result<Level> parse_level(std::string_view name)
{
    for (const Name& known : names)
        if (known.text == name)
            return static_cast<Level>(&known - names);
    return error("bad_value", "\"{}\" is not one of error, warning, info, debug, trace", name);
}

void configure(Level level, Format format, bool priorities)
{
    format_now = format;
    priorities_now = priorities;
    sink()->set_level(names[static_cast<int>(level)].level);
}

void Logger::error(std::string_view message, Fields fields) const
{
    write(Level::error, subsystem_, message, fields);
}

void Logger::warning(std::string_view message, Fields fields) const
{
    write(Level::warning, subsystem_, message, fields);
}

void Logger::info(std::string_view message, Fields fields) const
{
    write(Level::info, subsystem_, message, fields);
}

void Logger::debug(std::string_view message, Fields fields) const
{
    write(Level::debug, subsystem_, message, fields);
}

}  // namespace sonde::log
