#include "checkers/http/response.h"

#include "agent/base/text.h"

#include <algorithm>
#include <charconv>
#include <ctime>

namespace sonde::checkers::http {
namespace {

bool is_digits(std::string_view text)
{
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Of digits; −1 when there are too many.
std::int64_t number(std::string_view text)
{
    std::int64_t value = -1;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

ResponseHead::Line ResponseHead::add(std::string_view line)
{
    if (complete_)
        return Line::more;  // trailers are no headers
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.remove_suffix(1);
    if (!started_ || line.starts_with("HTTP/"))
        return start(line) ? Line::more : Line::malformed;
    if (line.empty())
        return finish();
    if ((line.front() == ' ' || line.front() == '\t') && !headers_.empty()) {
        headers_.back().second.append(" ").append(text::trim(line));
        return Line::more;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        error_ = "a header line without colon";
        return Line::malformed;
    }
    headers_.emplace_back(text::lower(line.substr(0, colon)), text::trim(line.substr(colon + 1)));
    return Line::more;
}

bool ResponseHead::start(std::string_view line)
{
    started_ = true;
    headers_.clear();
    const auto blank = line.find(' ');
    const auto version = line.substr(0, blank);
    const auto rest = blank == std::string_view::npos ? "" : line.substr(blank + 1);
    const auto code = rest.substr(0, rest.find(' '));
    if (!version.starts_with("HTTP/") || code.size() != 3 || !is_digits(code)) {
        error_ = "no status line";
        return false;
    }
    version_ = version == "HTTP/1.0" ? 1 : version == "HTTP/1.1" ? 1.1 : 2;
    status_ = static_cast<int>(number(code));
    return true;
}

ResponseHead::Line ResponseHead::finish()
{
    if (status_ / 100 == 1 && status_ != 101) {
        started_ = false;
        return Line::more;
    }
    const auto lengths = values("content-length");
    for (const std::string& length : lengths)
        if (!is_digits(length) || number(length) < 0 || length != lengths.front()) {
            error_ = "Content-Length is no number, or there are two";
            return Line::malformed;
        }
    for (const std::string& coding : values("transfer-encoding"))
        if (version_ == 1.1 && text::lower(coding) != "chunked") {
            error_ = "Transfer-Encoding is not chunked";
            return Line::malformed;
        }
    complete_ = true;
    return Line::complete;
}

std::string ResponseHead::version_text() const
{
    return version() == 1 ? "HTTP/1.0" : version() == 1.1 ? "HTTP/1.1" : "HTTP/2.0";
}

std::vector<std::string> ResponseHead::values(std::string_view name) const
{
    std::vector<std::string> found;
    for (const auto& [known, value] : headers_)
        if (known == text::lower(name))
            found.push_back(value);
    return found;
}

std::string ResponseHead::first(std::string_view name) const
{
    const auto found = values(name);
    return found.empty() ? "" : found.front();
}

bool ResponseHead::chunked() const
{
    return version_ == 1.1 && !values("transfer-encoding").empty();
}

bool ResponseHead::bodyless(bool head_request) const
{
    return head_request || status_ / 100 == 1 || status_ == 204 || status_ == 304;
}

std::int64_t ResponseHead::content_length(bool head_request, std::size_t body_bytes) const
{
    if (!complete_ || status_ == 204 || status_ == 304)
        return 0;
    const auto lengths = values("content-length");
    if (!chunked() && !lengths.empty())
        return number(lengths.front());
    return version_ == 2 && !head_request && body_bytes == 0 ? 0 : -1;
}

std::vector<std::string> ResponseHead::visible_values(std::string_view name) const
{
    const std::string key = text::lower(name);
    auto found = values(key);
    if (version_ == 2)
        return found;
    const bool used_up = key == "transfer-encoding" ||
                         (chunked() && (key == "content-length" || key == "trailer")) ||
                         (key == "connection" &&
                             std::any_of(found.begin(), found.end(), [](const std::string& value) {
                                 return text::lower(value).find("close") != std::string::npos;
                             }));
    return used_up ? std::vector<std::string>{} : found;
}

std::optional<std::int64_t> parse_http_date(const std::string& text)
{
    for (const char* format :
        {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm parsed{};
        const char* const end = ::strptime(text.c_str(), format, &parsed);
        if (end && *end == '\0')
            return ::timegm(&parsed);
    }
    return std::nullopt;
}

}  // namespace sonde::checkers::http
