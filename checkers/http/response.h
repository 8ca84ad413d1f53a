#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sonde::checkers::http {

/// The head of a response, read from its lines; no I/O (spec 02 §2.8).
class ResponseHead {
public:
    enum class Line {
        more,       ///< the head goes on
        complete,   ///< a final response's head is complete
        malformed,  ///< error() says why
    };

    /// The next line, its end included. Heads of 1xx responses are skipped, but for 101.
    Line add(std::string_view line);

    bool complete() const { return complete_; }
    int status() const { return complete_ ? status_ : 0; }
    double version() const { return complete_ ? version_ : 0; }  ///< 1, 1.1 or 2
    std::string version_text() const;                            ///< "HTTP/1.1"
    const std::string& error() const { return error_; }

    /// Values of a header, each line's on its own, in order.
    std::vector<std::string> values(std::string_view name) const;
    std::string first(std::string_view name) const;  ///< empty when absent

    /// Content-Length as the metric has it: −1 unknown.
    std::int64_t content_length(bool head_request, std::size_t body_bytes) const;
    bool bodyless(bool head_request) const;
    bool chunked() const;

    /// As values(), but without what the transport has used up (spec 02 §2.9).
    std::vector<std::string> visible_values(std::string_view name) const;

private:
    bool start(std::string_view line);
    Line finish();

    std::vector<std::pair<std::string, std::string>> headers_;  // names in lower case
    int status_ = 0;
    double version_ = 0;
    bool started_ = false;
    bool complete_ = false;
    std::string error_;
};

/// IMF-fixdate, RFC 850 or asctime to Unix seconds (RFC 9110 §5.6.7); nullopt for all else.
std::optional<std::int64_t> parse_http_date(const std::string& text);

}  // namespace sonde::checkers::http
