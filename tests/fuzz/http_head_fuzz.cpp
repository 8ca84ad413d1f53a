// Heads of HTTP responses, line by line as libcurl hands them on: checkers/http/response.
#include "agent/base/text.h"
#include "checkers/http/redirect.h"
#include "checkers/http/response.h"
#include "tests/fuzz/fuzz.h"

#include <ctime>

namespace {

using namespace sonde;
using checkers::http::ResponseHead;

void check_date(const std::string& text)
{
    const auto time = checkers::http::parse_http_date(text);
    if (!time)
        return;
    const std::time_t seconds = *time;
    std::tm parts{};
    std::string again(64, '\0');
    fuzz::require(::gmtime_r(&seconds, &parts) != nullptr, "a date is in the calendar");
    again.resize(std::strftime(again.data(), again.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
    fuzz::require(checkers::http::parse_http_date(again) == time, "a date reads the same again");
}

void check_complete(const ResponseHead& head)
{
    fuzz::require(head.status() >= 0 && head.status() <= 999, "a status has three digits");
    fuzz::require(
        head.version() == 1 || head.version() == 1.1 || head.version() == 2, "a known version");
    for (const bool head_request : {false, true}) {
        fuzz::require(head.content_length(head_request, 0) >= -1, "-1 is the least length");
        head.bodyless(head_request);
    }
    for (const std::string_view name :
        {"content-length", "transfer-encoding", "trailer", "connection", "location"})
        fuzz::require(head.visible_values(name).size() <= head.values(name).size(),
            "visible values are some of all");
    if (is_redirect(head))
        fuzz::require(!head.first("location").empty(), "a redirect leads somewhere");
    for (const char* name : {"last-modified", "date"})
        check_date(head.first(name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    ResponseHead head;
    while (!input.empty()) {
        const auto line = input.line();
        const bool was_complete = head.complete();
        const auto result = head.add(line);
        fuzz::require(head.complete() == (was_complete || result == ResponseHead::Line::complete),
            "the end of a head is told once");
        fuzz::require(
            was_complete || result != ResponseHead::Line::malformed || !head.error().empty(),
            "a malformed head has a reason");
        if (result == ResponseHead::Line::malformed)
            return 0;
    }
    if (head.complete())
        check_complete(head);
    else
        fuzz::require(head.status() == 0, "what is not complete has no status");
    return 0;
}
