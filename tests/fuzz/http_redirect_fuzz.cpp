// Chains of redirects: checkers/http/redirect. The first line of an input is the target, each of
// the others a status, as a letter, and a Location.
#include "agent/base/text.h"
#include "checkers/http/redirect.h"
#include "tests/fuzz/fuzz.h"

#include <algorithm>
#include <array>

namespace {

using namespace sonde;
using namespace checkers::http;

Settings settings_with_credentials(const Url& target)
{
    Settings settings;
    settings.target = target;
    settings.method = "POST";
    settings.body = "secret body";
    settings.headers = {{"Cookie", "a=secret; b=secret"}, {"Content-Type", "text/plain"},
        {"WWW-Authenticate", "secret"}, {"X-Own", "value"}};
    settings.bearer_token = "secret";
    return settings;
}

ResponseHead redirect(int status, std::string_view location)
{
    ResponseHead head;
    head.add(fmt::format("HTTP/1.1 {} Moved", status));
    head.add(fmt::format("Location: {}", location));
    head.add("Set-Cookie: a=new");
    head.add("");
    return head;
}

void check_chain(const Chain& chain, bool left, bool changed)
{
    const auto headers = chain.headers();
    fuzz::require(!headers.empty() && headers.front().first == "Host", "Host is the first header");
    fuzz::require(
        headers.front().second.find_first_of("\r\n") == std::string::npos, "a header is one line");
    const bool authorized = std::any_of(headers.begin(), headers.end(), [](const Header& header) {
        return header.first == "Authorization" || header.first == "WWW-Authenticate";
    });
    fuzz::require(left != authorized && (!left || chain.cookies().empty()),
        "credentials stay with the first host, and https");
    fuzz::require(chain.cookies().find("a=secret") == std::string::npos, "a cookie was replaced");
    fuzz::require(!changed || (chain.method() == "GET" && chain.body().empty()),
        "303 and below make a GET of a POST");
    chain.tls_name();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static constexpr std::array codes{301, 302, 303, 307, 308};
    fuzz::Input input{data, size};
    const auto target = parse_url(input.line());
    if (!target)
        return 0;
    const Settings settings = settings_with_credentials(*target);
    Chain chain{settings, *target};
    bool left = false;
    bool changed = false;
    for (int hops = 0; hops < 10 && !input.empty(); ++hops) {
        const int status = codes.at(input.choice(codes.size()));
        const ResponseHead head = redirect(status, input.line());
        if (!head.complete() || !is_redirect(head))
            return 0;
        const std::string location = head.first("location");
        auto next = resolve(chain.url(), location);
        if (!next)
            return 0;
        left = left || (chain.url().https && !next->https) ||
               (text::lower(next->host) != text::lower(target->host) &&
                   !text::lower(next->host).ends_with('.' + text::lower(target->host)));
        changed = changed || status <= 303;
        const bool absolute = location.find("//") != std::string::npos;
        chain.follow(head, std::move(*next), absolute);
        check_chain(chain, left, changed);
    }
    return 0;
}
