#include "exporters/delivery.h"

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

}  // namespace sonde::exporters
