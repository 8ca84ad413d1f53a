#include "checkers/http/phases.h"

#include <fmt/chrono.h>

namespace sonde::checkers::http {
namespace {

double between(const Moment& from, const Moment& to)
{
    return from && to && *to > *from ? std::chrono::duration<double>(*to - *from).count() : 0;
}

/// As Go prints a time: fraction without trailing zeros; unset is its zero time.
std::string time_text(const Moment& moment)
{
    if (!moment)
        return "0001-01-01 00:00:00 +0000 UTC";
    const auto wall =
        std::chrono::system_clock::now() +
        std::chrono::duration_cast<std::chrono::system_clock::duration>(*moment - Clock::now());
    const auto second = std::chrono::floor<std::chrono::seconds>(wall);
    std::string fraction = fmt::format(
        "{:09}", std::chrono::duration_cast<std::chrono::nanoseconds>(wall - second).count());
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return fmt::format("{:%Y-%m-%d %H:%M:%S}{}{} +0000 UTC",
        fmt::gmtime(std::chrono::system_clock::to_time_t(second)), fraction.empty() ? "" : ".",
        fraction);
}

}  // namespace

Contribution contribution(const Stamps& stamps, bool final, Clock::time_point now)
{
    Contribution out;
    out.resolve = between(stamps.lookup_start, stamps.lookup_end);
    out.connect = between(stamps.lookup_end, stamps.connected);
    out.tls = between(stamps.tls_start, stamps.tls_end);
    out.processing = between(stamps.ready, stamps.first_byte);
    if (final)
        out.transfer = between(stamps.first_byte, stamps.end ? stamps.end : Moment{now});
    return out;
}

std::string_view open_phase(const Stamps& stamps)
{
    if (stamps.first_byte)
        return "transfer";
    if (stamps.ready)
        return "processing";
    if (stamps.connected)
        return "tls";
    return stamps.lookup_end ? "connect" : "resolve";
}

CheckLog::Fields timing_fields(std::size_t roundtrip, const Stamps& stamps)
{
    CheckLog::Fields fields;
    fields.emplace_back("roundtrip", roundtrip);
    const std::pair<std::string_view, const Moment&> columns[] = {{"start", stamps.lookup_start},
        {"dnsDone", stamps.lookup_end}, {"connectDone", stamps.connected},
        {"gotConn", stamps.ready}, {"responseStart", stamps.first_byte},
        {"tlsStart", stamps.tls_start}, {"tlsDone", stamps.tls_end}, {"end", stamps.end}};
    for (const auto& [name, moment] : columns)
        fields.emplace_back(name, time_text(moment));
    return fields;
}

}  // namespace sonde::checkers::http
