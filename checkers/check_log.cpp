#include "checkers/check_log.h"

#include "agent/base/logfmt.h"

#include <algorithm>

namespace sonde::checkers {

std::string LogField::text_of(bool value)
{
    return value ? "true" : "false";
}

std::string LogField::text_of(double value)
{
    return logfmt::number(value);
}

std::string LogField::text_of(std::int64_t value)
{
    return std::to_string(value);
}

void CheckLog::write(Level level, std::string_view message, Fields fields)
{
    add(layout_, level, message, std::move(fields));
}

void CheckLog::frame(Level level, std::string_view message, Fields fields)
{
    add(Layout::wrapper, level, message, std::move(fields));
}

void CheckLog::add(Layout layout, Level level, std::string_view message, Fields fields)
{
    auto now = std::chrono::system_clock::now();
    if (!entries_.empty())
        now = std::max(now, entries_.back().time);
    entries_.push_back({now, level, layout, std::string{message}, std::move(fields)});
}

}  // namespace sonde::checkers
