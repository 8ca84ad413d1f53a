// Targets, proxies and the Location of redirects: checkers/http/url, checkers/http/proxy.
#include "agent/base/text.h"
#include "checkers/http/proxy.h"
#include "checkers/http/url.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>

namespace {

using namespace sonde;
using checkers::http::Url;

void check_url(const Url& url)
{
    fuzz::require(!url.host.empty() && url.port != 0, "a URL has a host and a port");
    fuzz::require(url.path.starts_with('/'), "a path begins at the root");
    fuzz::require(url.query.empty() || url.query.starts_with('?'), "a query begins with ?");
    const std::string text = url.text();
    fuzz::require(std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }),
        "no control character can break a request line");
    fuzz::require(std::all_of(url.path.begin(), url.path.end(),
                      [](char c) { return c > 0x20 && static_cast<unsigned char>(c) < 0x7f; }),
        "a path is printable ASCII");
    if (text.ends_with(' '))
        return;  // of a query that a fragment followed: a target is trimmed
    const auto again = checkers::http::parse_url(text);
    fuzz::require(again.has_value(), "the text of a URL can be read");
    fuzz::require(
        again->text() == text && again->authority() == url.authority() && again->port == url.port,
        "and is the same URL");
}

void check_proxy(std::string_view text)
{
    const auto proxy = checkers::http::parse_proxy(text);
    if (!proxy)
        return;
    fuzz::require(
        !proxy->url.host.empty() && proxy->url.port != 0, "a proxy has a host and a port");
    fuzz::require(
        proxy->text().find('@') == std::string::npos, "what is told of a proxy has no password");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const auto target = input.line();
    const auto reference = text::trim(input.line());  // as header values are
    check_proxy(target);
    fuzz::require(
        checkers::http::percent_decode(checkers::http::percent_encode(reference)) == reference,
        "what was encoded decodes to the same");
    const auto base = checkers::http::parse_url(target);
    if (!base)
        return 0;
    check_url(*base);
    if (auto next = checkers::http::resolve(*base, reference)) {
        check_url(*next);
        fuzz::require(reference.find('.') != std::string_view::npos ||
                          next->path.find("/../") == std::string::npos ||
                          base->path.find("/../") != std::string::npos,
            "no dot segments come from nowhere");
    }
    Url busted = *base;
    set_query_parameter(busted, "b", reference);
    const Url once = busted;
    set_query_parameter(busted, "b", reference);
    check_url(busted);
    fuzz::require(busted.query == once.query, "a parameter that is set again replaces itself");
    return 0;
}
