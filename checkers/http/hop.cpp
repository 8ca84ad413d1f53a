#include "checkers/http/hop.h"

#include "agent/base/text.h"
#include "agent/net/curl_multi.h"
#include "checkers/dial.h"

#include <boost/asio/use_awaitable.hpp>
#include <openssl/ssl.h>

#include <algorithm>

namespace sonde::checkers::http {
namespace {

constexpr std::size_t most_header_bytes = 300 * 1024;
constexpr std::size_t most_redirect_bytes = 2048;  // of a body that nobody looks at

std::string bracketed(std::string_view host)
{
    return host.find(':') == std::string_view::npos ? std::string{host} : fmt::format("[{}]", host);
}

void append(std::unique_ptr<curl_slist, void (*)(curl_slist*)>& list, const std::string& line)
{
    list.reset(curl_slist_append(list.release(), line.c_str()));
}

}  // namespace

Hop::Hop(Run& run, HopRequest request, std::shared_ptr<const net::TlsContext> tls, Body& body,
    std::function<bool(const ResponseHead&)> is_final)
    : run_{run}, request_{std::move(request)}, tls_{std::move(tls)}, body_{body},
      is_final_{std::move(is_final)}
{
    peer_.name = request_.tls_name;
}

std::string_view Hop::tls_version() const
{
    return net::tls_version_name(tls_version_);
}

asio::awaitable<Verdict> Hop::perform(CURL* easy)
{
    easy_ = easy;
    prepare(easy);
    set_request(easy);
    run_.phase = open_phase(stamps);
    const CURLcode code = co_await run_.net.curl.perform(easy);
    stamps.end = Clock::now();
    co_return judge(easy, code);
}

void Hop::prepare(CURL* easy)
{
    curl_easy_reset(easy);  // but for its cookies
    const Url& url = request_.url;
    // libcurl takes SNI from the URL, so the URL has the name to verify and the address is pinned.
    const std::string name = bracketed(url.https ? request_.tls_name : url.host);
    const std::string base =
        fmt::format("{}://{}:{}/", url.https ? "https" : "http", name, url.port);
    append(connect_to_, fmt::format("{}:{}:{}:{}", name, url.port,
                            bracketed(request_.address.to_string()), url.port));
    curl_easy_setopt(easy, CURLOPT_URL, base.c_str());
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, connect_to_.get());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
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
    if (!url.https)
        return;
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, tls_callback);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
    curl_easy_setopt(
        easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);          // a resumed session shows no certificate
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);  // TlsContext verifies, by our rules
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
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
    const bool bare_connect = request_.method == "CONNECT" && request_.url.request_target() == "/";
    const std::string target =
        bare_connect ? request_.url.authority() : request_.url.request_target();
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, target.c_str());
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
    append(header_list_, "Connection: close");
    if (!accept)
        append(header_list_, "Accept:");
    if (!type)
        append(header_list_, "Content-Type:");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_.get());
}

CURLcode Hop::tls_callback(CURL*, void* context, void* self)
{
    auto& hop = *static_cast<Hop*>(self);
    hop.stamps.connected = Clock::now();  // TLS is set up right after the TCP handshake
    hop.run_.phase = open_phase(hop.stamps);
    hop.tls_->apply(static_cast<SSL_CTX*>(context), hop.peer_);
    return CURLE_OK;
}

int Hop::ready_callback(void* self, char*, char*, int, int)
{
    auto& hop = *static_cast<Hop*>(self);
    if (++hop.attempts_ > 1)
        return CURL_PREREQFUNC_ABORT;  // one attempt: after some refusals libcurl would try again
    hop.stamps.ready = Clock::now();
    if (!hop.stamps.connected)
        hop.stamps.connected = hop.stamps.ready;
    const Clock::time_point never{};
    if (hop.peer_.handshake_began != never)
        hop.stamps.tls_start = hop.peer_.handshake_began;
    if (hop.peer_.handshake_done != never)
        hop.stamps.tls_end = hop.peer_.handshake_done;
    hop.run_.phase = open_phase(hop.stamps);
    return CURL_PREREQFUNC_OK;
}

std::size_t Hop::header_callback(char* data, std::size_t, std::size_t size, void* self)
{
    return static_cast<Hop*>(self)->on_header({data, size});
}

std::size_t Hop::body_callback(char* data, std::size_t, std::size_t size, void* self)
{
    return static_cast<Hop*>(self)->on_body({data, size});
}

std::size_t Hop::on_header(std::string_view line)
{
    if (!stamps.first_byte)
        stamps.first_byte = Clock::now();
    run_.phase = open_phase(stamps);
    header_bytes_ += line.size();
    if (header_bytes_ > most_header_bytes)
        return 0;
    const auto got = head_.add(line);
    malformed_ = got == ResponseHead::Line::malformed;
    if (malformed_)
        return 0;
    if (got == ResponseHead::Line::complete) {
        note_tls();
        final_ = is_final_(head_);
        stopped_ = head_.status() == 101;  // libcurl would wait for what never comes
        return stopped_ ? 0 : line.size();
    }
    return line.size();
}

/// Version and suite, while the connection is there to be asked.
void Hop::note_tls()
{
    curl_tlssessioninfo* session = nullptr;
    if (!request_.url.https ||
        curl_easy_getinfo(easy_, CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || !session ||
        !session->internals)
        return;
    const auto* connection = static_cast<const SSL*>(session->internals);
    tls_version_ = SSL_version(connection);
    cipher_ = net::tls_cipher_name(SSL_get_current_cipher(connection));
}

std::size_t Hop::on_body(std::string_view bytes)
{
    if (final_) {
        stopped_ = !body_.add(bytes);
    } else {
        redirect_bytes_ += bytes.size();
        stopped_ = redirect_bytes_ > most_redirect_bytes;
    }
    return stopped_ ? 0 : bytes.size();
}

Verdict Hop::tls_verdict(std::string_view detail) const
{
    const net::TlsFailure why = net::tls_failure(peer_);
    std::string_view cause = why.cause;
    if (cause.empty() && detail.find("wrong version number") != std::string_view::npos)
        cause = "not_tls";
    else if (cause.empty() && detail.find("unsupported protocol") != std::string_view::npos)
        cause = "protocol_version";
    else if (cause.empty() && (detail.find("SSL_ERROR_SYSCALL") != std::string_view::npos ||
                                  detail.find("unexpected eof") != std::string_view::npos))
        cause = detail.find("reset") != std::string_view::npos ? "reset" : "closed";
    std::string what = why.message.empty() ? std::string{detail} : why.message;
    if (why.alert)
        what += fmt::format(" (alert {})", *why.alert);
    return Verdict::fail(
        "tls", fmt::format("TLS handshake with {} failed: {}", peer_.name, what), cause);
}

/// What libcurl's result means (spec 02 §9.1, "rc mapping").
Verdict Hop::judge(CURL* easy, CURLcode code)
{
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    const boost::system::error_code system{
        static_cast<int>(number), boost::system::system_category()};
    const std::string detail = detail_[0] != '\0' ? detail_ : curl_easy_strerror(code);
    const std::string where = request_.url.text();
    if (head_.complete()) {
        body_.finish(head_.bodyless(head_request()));
        if (code != CURLE_OK && !stopped_ && final_)
            body_failure_ = Verdict::fail("http_body_read",
                fmt::format("the body of {} could not be read to its end: {}", where, detail),
                code == CURLE_PARTIAL_FILE                          ? "truncated"
                : code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2 ? "stream_error"
                : number != 0                                       ? cause_of(system)
                                                                    : "");
        return Verdict::pass();
    }
    const auto request_failed = [&](std::string_view why, std::string_view cause) {
        return Verdict::fail(
            "http_request", fmt::format("no response from {}: {}", where, why), cause);
    };
    if (malformed_)
        return request_failed(head_.error(), "malformed");
    if (header_bytes_ > most_header_bytes)
        return request_failed("the header is too large", "too_large");
    switch (code) {
    case CURLE_COULDNT_CONNECT: {
        const auto cause = cause_of(system, request_.address);
        const auto* const who =
            cause.starts_with("local_") ? "this probe cannot connect to" : "connection failed to";
        return Verdict::fail("connect",
            fmt::format("{} {} port {}: {}", who, request_.address.to_string(), request_.url.port,
                system ? system.message() : detail),
            cause);
    }
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return tls_verdict(detail);
    case CURLE_OK:
    case CURLE_GOT_NOTHING:
        return request_failed(header_bytes_ > 0 ? "the connection ended inside the header"
                                                : "the connection ended without a response",
            "closed");
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return request_failed(detail, "stream_error");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (request_.url.https && peer_.alert)  // TLS 1.3 refuses a certificate after the handshake
            return tls_verdict(detail);
        return request_failed(detail, number != 0 ? cause_of(system) : "reset");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return request_failed(detail, "malformed");
    default:
        return request_failed(detail, {});
    }
}

}  // namespace sonde::checkers::http
