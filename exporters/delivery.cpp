#include "exporters/delivery.h"

#include "agent/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

namespace sonde::exporters {

std::string_view first_line(std::string_view body)
{
    return body.substr(0, body.find_first_of("\r\n")).substr(0, 256);
}

Outcome classify(int status, std::string_view body)
{
    const auto says = [line = first_line(body)](std::string_view words) {
        return line.find(words) != std::string_view::npos;
    };
    const int family = status / 100;
    if (family == 2)
        return Outcome::ok;
    if (status == 0 || status == 408 || family == 5 || family == 1)
        return Outcome::retriable;
    switch (status) {
    case 400:
        return says("err-mimir-max-series-per-user") ? Outcome::fatal : Outcome::payload;
    case 401:
        return Outcome::tenant;
    case 403:
    case 404:
    case 405:
        return Outcome::fatal;
    case 429:
        if (says("limit: 0 "))
            return Outcome::fatal;  // ingestion is switched off
        return says("Maximum active stream limit exceeded") ? Outcome::limit : Outcome::wait;
    default:
        return family == 4 ? Outcome::payload : Outcome::fatal;
    }
}

std::string_view name_of(Outcome outcome)
{
    static constexpr std::string_view names[] = {
        "ok", "retriable", "payload", "limit", "wait", "tenant", "fatal"};
    return names[static_cast<std::size_t>(outcome)];
}

bool is_about_time(std::string_view body)
{
    static constexpr std::array<std::string_view, 7> words{"out of order", "out-of-order",
        "out of bounds", "too old", "too-old", "too far behind", "older than"};
    const std::string line = text::lower(first_line(body));
    return std::ranges::any_of(
        words, [&](std::string_view each) { return line.find(each) != std::string::npos; });
}

std::chrono::milliseconds rest_after_429(std::string_view retry_after,
    std::chrono::milliseconds usual, std::chrono::milliseconds longest)
{
    unsigned seconds = 0;
    const auto [rest, failed] =
        std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
    if (failed == std::errc::result_out_of_range)
        return longest;
    if (failed != std::errc{} || rest != retry_after.data() + retry_after.size())
        return std::min(usual, longest);
    return std::min<std::chrono::milliseconds>(std::chrono::seconds{seconds}, longest);
}

}  // namespace sonde::exporters
