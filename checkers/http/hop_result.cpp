// What libcurl's result means (spec 02 §9.1, "rc mapping").
#include "checkers/dial.h"
#include "checkers/http/hop.h"

namespace sonde::checkers::http {

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
    Verdict verdict = Verdict::fail(
        "tls", fmt::format("TLS handshake with {} failed: {}", peer_.name, what), cause)
                          .with("server_name", peer_.name);
    if (why.alert)
        verdict.attributes.emplace_back("alert", *why.alert);
    return verdict;
}

/// What is the proxy's fault, or ours towards it.
std::optional<Verdict> Hop::proxy_failure(
    CURL* easy, CURLcode code, const boost::system::error_code& system)
{
    if (!request_.proxy)
        return std::nullopt;
    const std::string proxy = request_.proxy->text();
    long tunnel = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel != 0 && tunnel != 200)
        return Verdict::fail("http_request",
            fmt::format("the proxy {} refused to connect to {}: status {}", proxy,
                request_.url.authority(), tunnel),
            "proxy_refused");
    const bool in_handshake = code == CURLE_SSL_CONNECT_ERROR ||
                              code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CIPHER;
    if (in_handshake && request_.proxy->url.https && handshakes_ <= 1) {
        const net::TlsFailure why = net::tls_failure(proxy_peer_);
        return Verdict::fail("http_request",
            fmt::format("TLS handshake with the proxy {} failed: {}", proxy,
                why.message.empty() ? std::string{detail_} : why.message),
            "proxy_unreachable");
    }
    if (code != CURLE_COULDNT_RESOLVE_PROXY && code != CURLE_COULDNT_CONNECT && code != CURLE_PROXY)
        return std::nullopt;
    const auto cause = cause_of(system, request_.address);
    return Verdict::fail("http_request",
        fmt::format("the proxy {} cannot be reached: {}", proxy,
            system ? system.message() : std::string{detail_}),
        cause.starts_with("local_") ? cause : "proxy_unreachable");
}

Verdict Hop::judge(CURL* easy, CURLcode code)
{
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    if (open_failed_ != 0)
        number = open_failed_;
    const boost::system::error_code system{
        static_cast<int>(number), boost::system::system_category()};
    const std::string detail = detail_[0] != '\0' ? detail_ : curl_easy_strerror(code);
    if (head_.complete()) {
        body_.finish(head_.bodyless(head_request()));
        if (code != CURLE_OK && !stopped_ && final_)
            body_failure_ = Verdict::fail("http_body_read",
                fmt::format(
                    "the body of {} could not be read to its end: {}", request_.url.text(), detail),
                code == CURLE_PARTIAL_FILE                          ? "truncated"
                : detail.ends_with("in chunked-encoding")           ? "malformed"
                : code == CURLE_HTTP2_STREAM || code == CURLE_HTTP2 ? "stream_error"
                : number != 0                                       ? cause_of(system)
                                                                    : "");
        return Verdict::pass();
    }
    if (malformed_)
        return request_failed(head_.error(), "malformed");
    if (header_bytes_ > most_header_bytes)
        return request_failed("the header is too large", "too_large");
    if (auto of_proxy = proxy_failure(easy, code, system))
        return std::move(*of_proxy);
    return no_response(code, system, detail);
}

Verdict Hop::request_failed(std::string_view why, std::string_view cause) const
{
    return Verdict::fail(
        "http_request", fmt::format("no response from {}: {}", request_.url.text(), why), cause);
}

Verdict Hop::connect_failed(
    const boost::system::error_code& system, const std::string& detail) const
{
    const auto cause = cause_of(system, request_.address);
    const auto* const who =
        cause.starts_with("local_") ? "this probe cannot connect to" : "connection failed to";
    const std::string address = request_.address.to_string();
    return Verdict::fail("connect",
        fmt::format("{} {} port {}: {}", who, address, request_.url.port,
            system ? system.message() : detail),
        cause)
        .with("address", fmt::format("{}:{}", bracketed(address), request_.url.port));
}

Verdict Hop::no_response(
    CURLcode code, const boost::system::error_code& system, const std::string& detail)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return connect_failed(system, detail);
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
    case CURLE_ABORTED_BY_CALLBACK:  // by ready_callback: libcurl wanted to try again
        return request_failed("the server refused the stream", "stream_error");
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return request_failed(detail, "stream_error");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (request_.url.https && peer_.alert)  // TLS 1.3 refuses a certificate after the handshake
            return tls_verdict(detail);
        return request_failed(detail, system ? cause_of(system) : "reset");
    case CURLE_UNSUPPORTED_PROTOCOL:
        if (stamps.ready && !stamps.first_byte)
            stamps.first_byte = stamps.end;  // bytes without a status line: no callback saw them
        return request_failed(detail, "malformed");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return request_failed(detail, "malformed");
    default:
        return request_failed(detail, {});
    }
}

}  // namespace sonde::checkers::http
