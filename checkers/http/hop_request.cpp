// How a hop is told to libcurl (spec 02 §2.4, §9.1).
#include "agent/base/text.h"
#include "checkers/http/hop.h"

#include <algorithm>

namespace sonde::checkers::http {
namespace {

void append(std::unique_ptr<curl_slist, void (*)(curl_slist*)>& list, const std::string& line)
{
    list.reset(curl_slist_append(list.release(), line.c_str()));
}

}  // namespace

void Hop::prepare(CURL* easy)
{
    curl_easy_reset(easy);  // but for its cookies
    const Url& url = request_.url;
    // What is sent as SNI and verified is peer_.name, whatever libcurl takes from the URL.
    const std::string host = bracketed(url.host);
    const std::string base =
        fmt::format("{}://{}:{}{}", url.https ? "https" : "http", host, url.port, url.path);
    curl_easy_setopt(easy, CURLOPT_URL, base.c_str());  // its path is for cookies alone
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");  // not what the environment says
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (request_.proxy)
        use_proxy(easy);
    else
        append(connect_to_, fmt::format("{}:{}:{}:{}", host, url.port,
                                bracketed(request_.address.to_string()), url.port));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to_.get());
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * 1024);
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(run_.deadline - Clock::now()).count() + 1000;
    curl_easy_setopt(
        easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left));  // our own deadline comes first
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(left));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_callback);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_callback);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, ready_callback);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
    if (url.https || (request_.proxy && request_.proxy->url.https))
        trust(easy);
}

/// The proxy resolves the target's name; its own name is resolved by us, and libcurl is given the
/// address: CURLOPT_RESOLVE would pin it for all transfers, pushes too, for as long as we live. SNI
/// and verification go by the name all the same (net::TlsPeer::name).
void Hop::use_proxy(CURL* easy)
{
    const Proxy& proxy = *request_.proxy;
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy.text_at(request_.address.to_string()).c_str());
    if (proxy.authorized) {
        curl_easy_setopt(easy, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_BASIC));
        curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy.username.c_str());
        curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy.password.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_callback);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
    if (!request_.url.https)
        return;
    append(proxy_headers_, "Proxy-Connection:");
    for (const auto& [header, value] : proxy.connect_headers)
        append(proxy_headers_, value.empty() ? header + ';' : fmt::format("{}: {}", header, value));
    curl_easy_setopt(easy, CURLOPT_PROXYHEADER, proxy_headers_.get());
}

/// Verification by our rules, of the target and of a proxy.
void Hop::trust(CURL* easy)
{
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, tls_callback);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
    curl_easy_setopt(
        easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);          // a resumed session shows no certificate
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);  // TlsContext verifies, by our rules
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    if (!request_.proxy)
        return;
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, nullptr);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, nullptr);
}

std::string Hop::request_target() const
{
    const Url& url = request_.url;
    if (request_.proxy && !url.https) {  // absolute form, with the user's Host if there is one
        const auto host = std::find_if(request_.headers.begin(), request_.headers.end(),
            [](const Header& header) { return text::lower(header.first) == "host"; });
        return fmt::format("http://{}{}",
            host == request_.headers.end() ? url.authority() : host->second, url.request_target());
    }
    const bool bare_connect = request_.method == "CONNECT" && url.request_target() == "/";
    return bare_connect ? url.authority() : url.request_target();
}

void Hop::set_request(CURL* easy)
{
    const bool has = !request_.body.empty();
    const bool wants_length =
        request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
    if (has || wants_length) {
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.c_str());
    }
    if (request_.method == "HEAD" && !has)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request_target().c_str());
    if (!request_.cookies.empty())
        curl_easy_setopt(easy, CURLOPT_COOKIE, request_.cookies.c_str());
    bool accept = false;
    bool type = false;
    for (const auto& [name, value] : request_.headers) {
        const std::string key = text::lower(name);
        accept = accept || key == "accept";
        type = type || key == "content-type";
        if (key == "user-agent" && value.empty())
            append(header_list_, "User-Agent:");  // the user wants none
        else
            append(header_list_, value.empty() ? name + ';' : fmt::format("{}: {}", name, value));
    }
    append(header_list_, "Expect:");
    if (request_.proxy)
        append(header_list_, "Proxy-Connection:");
    append(header_list_, "Connection: close");
    if (!accept)
        append(header_list_, "Accept:");
    if (!type)
        append(header_list_, "Content-Type:");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_.get());
}

}  // namespace sonde::checkers::http
