#include "agent/base/log.h"

#include "agent/base/logfmt.h"
#include "agent/base/text.h"

#include <poll.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <mutex>

namespace sonde::log {
namespace {

// Set at start and by a reload, read by every thread that logs.
std::atomic<Format> format_now{Format::text};
std::atomic<bool> priorities_now{false};
std::atomic<Level> configured{Level::warning};
std::atomic<int> descriptor_now{STDERR_FILENO};
std::atomic<std::uint64_t> dropped_so_far{0};

struct Name {
    std::string_view text;
    std::string_view reference;  // in JSON, the reference agent's
    spdlog::level::level_enum level;
    int priority;  // syslog's
};
constexpr Name names[] = {{"error", "error", spdlog::level::err, 3},
    {"warning", "warn", spdlog::level::warn, 4}, {"info", "info", spdlog::level::info, 6},
    {"debug", "debug", spdlog::level::debug, 7}, {"trace", "trace", spdlog::level::trace, 7}};

const Name& name_of(Level level)
{
    return names[static_cast<int>(level)];
}

/// Writes lines without ever waiting long: the loop logs too, and whoever reads may have stopped.
/// The descriptor stays as it is, since it may be shared with other programs: O_NONBLOCK would be
/// set for them as well.
class DescriptorSink final : public spdlog::sinks::base_sink<std::mutex> {
private:
    void sink_it_(const spdlog::details::log_msg& message) override
    {
        std::string line{torn_ ? "\n" : ""};
        line.append(message.payload.data(), message.payload.size());
        line += '\n';
        waited_ = false;
        const std::size_t written = write(descriptor_now, line);
        const bool complete = written == line.size();
        if (written > 0)
            torn_ = line[written - 1] != '\n';
        if (!complete)
            ++dropped_so_far;
        patient_ = complete && !waited_;
    }
    void flush_() override {}

    /// @return how many bytes were taken.
    std::size_t write(int descriptor, std::string_view line)
    {
        std::size_t done = 0;
        while (done < line.size()) {
            // A pipe that can be written takes PIPE_BUF bytes without blocking; a socket is told.
            const auto part = line.substr(done, PIPE_BUF);
            if (!writable(descriptor))
                break;
            auto taken = ::send(descriptor, part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (taken < 0 && errno == ENOTSOCK)
                taken = ::write(descriptor, part.data(), part.size());
            if (taken < 0 && errno == EINTR)
                continue;
            if (taken <= 0)
                break;
            done += static_cast<std::size_t>(taken);
        }
        return done;
    }

    /// A reader who kept up so far is given a moment; one who did not, none.
    bool writable(int descriptor)
    {
        constexpr int moment_ms = 10;
        pollfd asked{descriptor, POLLOUT, 0};
        if (::poll(&asked, 1, 0) != 0)
            return true;  // or an error, which the write will tell
        if (!patient_ || waited_)
            return false;
        waited_ = true;
        return ::poll(&asked, 1, moment_ms) != 0;
    }

    bool torn_ = false;    // the last line ended in the middle
    bool patient_ = true;  // the last line went out without a wait
    bool waited_ = false;  // for this line
};

spdlog::logger& spdlogger()
{
    // Never destroyed: threads of libraries may log while the process ends.
    static spdlog::logger& logger = *[] {
        auto* made = new spdlog::logger{"sonde", std::make_shared<DescriptorSink>()};
        made->set_level(spdlog::level::warn);
        return made;
    }();
    return logger;
}

void append_quoted(std::string& line, std::string_view raw)
{
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
}

void append_member(std::string& line, std::string_view key, std::string_view value, bool bare)
{
    line += line.empty() ? '{' : ',';
    append_quoted(line, key);
    line += ':';
    if (bare)
        line += value;
    else
        append_quoted(line, value);
}

std::string json_line(
    Level level, std::string_view subsystem, std::string_view message, Logger::Fields fields)
{
    using namespace std::chrono;
    const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
    std::string line;
    append_member(line, "level", name_of(level).reference, false);
    append_member(line, "program", program_invocation_short_name, false);
    append_member(line, "subsystem", subsystem, false);
    for (const Field& field : fields)
        append_member(line, field.key, field.value, field.bare);
    append_member(line, "time", fmt::to_string(now.count()), true);
    append_member(line, "message", message, false);
    line += '}';
    return line;
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

std::string text_line(
    Level level, std::string_view subsystem, std::string_view message, Logger::Fields fields)
{
    std::string line;
    logfmt::append(line, "ts", timestamp());
    logfmt::append(line, "level", name_of(level).text);
    logfmt::append(line, "subsystem", subsystem);
    logfmt::append(line, "msg", message);
    for (const Field& field : fields)
        logfmt::append(line, field.key, field.value);
    return line;
}

void write(Level level, std::string_view subsystem, std::string_view message, Logger::Fields fields)
{
    const Name& name = name_of(level);
    spdlog::logger& logger = spdlogger();
    if (!logger.should_log(name.level))
        return;
    const auto make = format_now == Format::json ? json_line : text_line;
    std::string line = make(level, subsystem, message, fields);
    if (priorities_now)
        line.insert(0, fmt::format("<{}>", name.priority));
    logger.log(name.level, spdlog::string_view_t{line.data(), line.size()});
}

}  // namespace

Result<Level> parse_level(std::string_view name)
{
    for (const Name& known : names)
        if (known.text == name)
            return static_cast<Level>(&known - names);
    return error("bad_value", "\"{}\" is not one of error, warning, info, debug, trace", name);
}

void configure(Level level, Format format, bool priorities, Destination to)
{
    format_now = format;
    priorities_now = priorities;
    descriptor_now = to == Destination::standard_output ? STDOUT_FILENO : STDERR_FILENO;
    configured = level;
    set_level(level);
}

void set_level(Level level)
{
    spdlogger().set_level(name_of(level).level);
}

Level configured_level()
{
    return configured;
}

std::uint64_t dropped()
{
    return dropped_so_far;
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
