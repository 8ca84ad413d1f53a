#include "agent/net/http_client.h"

#include "agent/base/text.h"
#include "agent/base/version.h"
#include "agent/net/curl_multi.h"

#include <boost/asio/use_awaitable.hpp>
#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <system_error>

namespace sonde::net {
namespace {

constexpr long longest_idle_seconds = 300;  // spec 03 §4.1

struct FreeEasy {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using List = std::unique_ptr<curl_slist, FreeList>;

struct Body {
    std::string& text;
    std::size_t most;
};

/// Keeps the beginning of the body and lets the rest pass: the connection stays usable.
std::size_t keep_body(const char* data, std::size_t, std::size_t size, void* into)
{
    auto& body = *static_cast<Body*>(into);
    body.text.append(data, std::min(size, body.most - body.text.size()));
    return size;
}

/// What is looked at of an answer's header.
struct Header {
    bool complete = false;  ///< libcurl takes one that breaks off for the whole of it
    std::string retry_after;
};

std::size_t note_header(const char* data, std::size_t, std::size_t size, void* into)
{
    constexpr std::string_view name = "retry-after:";
    const std::string_view line{data, size};
    auto& header = *static_cast<Header*>(into);
    if (line.starts_with("HTTP/"))  // a 100 may have come before
        header = {};
    header.complete = header.complete || line == "\r\n" || line == "\n";
    if (size > name.size() && text::lower(line.substr(0, name.size())) == name)
        header.retry_after = text::trim(line.substr(name.size()));
    return size;
}

List header_list(const HttpCall& call)
{
    curl_slist* list = nullptr;
    for (const std::string& header : call.headers)
        list = curl_slist_append(list, header.c_str());
    list = curl_slist_append(list, "Expect:");  // no round trip before the body
    return List{list};
}

void set_request(CURL* easy, const HttpCall& call, curl_slist* headers)
{
    curl_easy_setopt(easy, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, version::user_agent().c_str());
    if (call.method != "GET") {
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call.body.data());
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    }
    if (!call.username.empty()) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, call.username.c_str());
        curl_easy_setopt(easy, CURLOPT_PASSWORD, call.password.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, longest_idle_seconds);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

bool has_sent(CURL* easy)
{
    long bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

/// A server that does not speak HTTP is an "unsupported protocol" to libcurl, too.
bool unusable_url(CURLcode code, bool sent)
{
    return code == CURLE_URL_MALFORMAT || (code == CURLE_UNSUPPORTED_PROTOCOL && !sent);
}

/// Why there is no answer, for people; `detail` is what libcurl wrote, which leaves errno out.
std::string describe(CURL* easy, CURLcode code, const char* detail)
{
    std::string text = *detail != '\0' ? detail : curl_easy_strerror(code);
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    if (code == CURLE_COULDNT_CONNECT && number != 0)
        text += ": " + std::generic_category().message(static_cast<int>(number));
    return text;
}

}  // namespace

asio::awaitable<HttpAnswer> HttpClient::send(HttpCall call)
{
    HttpAnswer answer;
    const Easy easy{curl_easy_init()};
    if (!easy) {
        answer.error = "out of memory";
        co_return answer;
    }
    const List headers = header_list(call);
    set_request(easy.get(), call, headers.get());
    char detail[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, keep_body);
    Body body{answer.body, call.most_of_body};
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
    Header header;
    curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, note_header);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &header);
    if (!settings_.ca_file.empty()) {
        curl_easy_setopt(easy.get(), CURLOPT_CAINFO, settings_.ca_file.c_str());
        curl_easy_setopt(easy.get(), CURLOPT_CAPATH, nullptr);  // else the system's would count too
    }
    if (!settings_.proxy_from_environment)
        curl_easy_setopt(easy.get(), CURLOPT_PROXY, settings_.proxy.c_str());

    CURLcode code = co_await curl_.perform(easy.get());
    answer.sent = has_sent(easy.get());
    if (code == CURLE_OK && !header.complete)
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
        answer.status = static_cast<int>(status);
        answer.retry_after = std::move(header.retry_after);
    } else {
        answer.body.clear();
        answer.error = describe(easy.get(), code, detail);
        answer.bad_url = unusable_url(code, answer.sent);
    }
    co_return answer;
}

}  // namespace sonde::net
