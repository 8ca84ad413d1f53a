// What the API reads from the head of a request: agent/control/http/request_parts, and tokens.
#include "agent/base/text.h"
#include "agent/control/http/request_parts.h"
#include "agent/control/secrets.h"
#include "tests/fuzz/fuzz.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cctype>

namespace {

using namespace sonde;

/// A path whose every byte is escaped, so that nothing in it separates.
std::string escaped(const std::vector<std::string>& segments)
{
    std::string out;
    for (const std::string& segment : segments) {
        out += '/';
        for (const unsigned char byte : segment)
            out += fmt::format("%{:02X}", byte);
    }
    return out.empty() ? "/" : out;
}

void check_path(const net::HttpRequest& request)
{
    const auto path = control::path_of(request);
    for (const std::string& segment : path) {
        fuzz::require(!segment.empty(), "a segment is not empty");
        const auto id = control::parse_id(segment);
        fuzz::require(!id || *id >= 0, "an id is not negative");
    }
    net::HttpRequest again;
    again.target(escaped(path));
    fuzz::require(control::path_of(again) == path, "what was read and escaped reads the same");
    fuzz::require(control::query_of(again).empty(), "an escaped path has no query");
}

void check_token(const net::HttpRequest& request)
{
    const std::string token = control::bearer_token(request);
    fuzz::require(token == text::trim(token), "a token has no blanks around it");
    fuzz::require(token.empty() || request.count(boost::beast::http::field::authorization) == 1,
        "of two credentials none counts");
    const std::string lookup = control::lookup_of(token);
    fuzz::require(lookup.empty() || lookup.size() == 22, "a lookup id has its size");
    if (const auto decoded = text::from_base64(token))
        fuzz::require(text::from_base64(text::base64(*decoded)).value() == *decoded,
            "the bytes of a token stay the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    boost::beast::http::request_parser<boost::beast::http::string_body> parser;
    parser.eager(true);
    boost::system::error_code failed;
    parser.put(boost::asio::buffer(data, size), failed);
    if (!parser.is_header_done())
        return 0;
    const net::HttpRequest& request = parser.get();
    check_path(request);
    check_token(request);
    control::query_of(request);
    control::acceptable_media(request);
    const std::string id = control::request_id_of(request);
    fuzz::require(!id.empty() && id.size() <= 128, "every request has an id");
    for (const unsigned char c : id)
        fuzz::require(std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-',
            "an id can be put into a header");
    fuzz::require(text::is_utf8(control::logged(request, "X-Client-ID")), "logs are UTF-8");
    return 0;
}
