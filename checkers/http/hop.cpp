#include "checkers/http/hop.h"

#include "agent/net/curl_multi.h"

#include <boost/asio/use_awaitable.hpp>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sonde::checkers::http {
namespace {

constexpr std::size_t most_redirect_bytes = 2048;  // of a body that nobody looks at

}  // namespace

Hop::Hop(Run& run, HopRequest request, std::shared_ptr<const net::TlsContext> tls, Body& body,
    std::function<bool(const ResponseHead&)> is_final)
    : run_{run}, request_{std::move(request)}, tls_{std::move(tls)}, body_{body},
      is_final_{std::move(is_final)}
{
    peer_.name = request_.tls_name;
    if (request_.proxy)
        proxy_peer_.name = request_.proxy->url.host;
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
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_callback);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
    arrivals_.begin(request_.url.https || (request_.proxy && request_.proxy->url.https));
    struct AtEnd {  // the deadline may be the end
        Run& run;
        const net::Arrivals& arrivals;
        ~AtEnd() { run.late += arrivals.late(); }
    } const at_end{run_, arrivals_};
    const CURLcode code = co_await run_.net.curl.perform(easy, &arrivals_);
    stamps.end = arrivals_.ended().value_or(Clock::now());
    if (stamps.first_byte)
        stamps.end = std::max(*stamps.end, *stamps.first_byte);
    co_return judge(easy, code);
}

/// libcurl would not tell why it cannot open a socket.
curl_socket_t Hop::open_callback(void* self, curlsocktype, curl_sockaddr* to)
{
    auto& hop = *static_cast<Hop*>(self);
    hop.socket_ = ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    if (hop.socket_ == CURL_SOCKET_BAD)
        hop.open_failed_ = errno;
    else
        net::stamp_received(hop.socket_);
    return hop.socket_;
}

/// When the target had accepted: what we took to begin and to notice is no part of the phase. With
/// a proxy there may be more in it than a TCP handshake.
Clock::time_point Hop::connected_at(Clock::time_point noticed) const
{
    const Proxy* const proxy = request_.proxy;
    if ((proxy && (proxy->url.https || request_.url.https)) || !stamps.lookup_end)
        return noticed;
    const auto took = net::handshake_time(socket_, noticed - *stamps.lookup_end);
    if (!took)
        return noticed;
    run_.late += noticed - *stamps.lookup_end - *took;
    return *stamps.lookup_end + *took;
}

CURLcode Hop::tls_callback(CURL*, void* context, void* self)
{
    auto& hop = *static_cast<Hop*>(self);
    const bool of_proxy =
        hop.request_.proxy && hop.request_.proxy->url.https && hop.handshakes_ == 0;
    ++hop.handshakes_;
    if (of_proxy) {
        hop.tls_->apply(static_cast<SSL_CTX*>(context), hop.proxy_peer_);
        return CURLE_OK;
    }
    hop.stamps.connected = hop.connected_at(Clock::now());  // TLS is set up right after TCP
    hop.late_before_tls_ = hop.arrivals_.late();
    hop.run_.phase = open_phase(hop.stamps);
    hop.tls_->apply(static_cast<SSL_CTX*>(context), hop.peer_);
    return CURLE_OK;
}

/// Nobody tells when the proxy has been reached: when the deadline closes the socket it shows.
/// libcurl keeps `self` with the connection, not with the handle: that the hop is still there rests
/// on CURLOPT_FORBID_REUSE, with which a connection ends within its transfer.
int Hop::close_callback(void* self, curl_socket_t socket)
{
    auto& hop = *static_cast<Hop*>(self);
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (hop.run_.phase == "connect" &&
        ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0)
        hop.run_.phase = "proxy";
    return ::close(socket);
}

int Hop::ready_callback(void* self, char*, char*, int, int)
{
    auto& hop = *static_cast<Hop*>(self);
    if (++hop.attempts_ > 1)
        return CURL_PREREQFUNC_ABORT;  // one attempt: after some refusals libcurl would try again
    long tunnel = 0;
    curl_easy_getinfo(hop.easy_, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel != 0 && tunnel != 200)
        return CURL_PREREQFUNC_ABORT;  // libcurl takes any 2xx
    hop.stamps.ready = Clock::now();
    if (!hop.stamps.connected)
        hop.stamps.connected = hop.connected_at(*hop.stamps.ready);
    hop.note_handshake();
    hop.run_.phase = open_phase(hop.stamps);
    return CURL_PREREQFUNC_OK;
}

/// The handshake is over when the last bytes of the peer have come in and been worked on; for how
/// long they lay there, or those that we had to reply to, is no part of it.
void Hop::note_handshake()
{
    const Clock::time_point never{};
    if (peer_.handshake_began == never)
        return;
    stamps.tls_start = peer_.handshake_began;
    if (peer_.handshake_done != never)
        stamps.tls_end = std::max(
            peer_.handshake_began, peer_.handshake_done - (arrivals_.late() - late_before_tls_));
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
        stamps.first_byte = arrivals_.answered(stamps.ready.value_or(Clock::now()));
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
        // libcurl would wait for what never comes; of HEAD it does not know when there is a body
        stopped_ = head_.status() == 101 || (head_request() && !request_.body.empty());
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

}  // namespace sonde::checkers::http
