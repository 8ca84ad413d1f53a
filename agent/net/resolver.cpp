#include "agent/net/resolver.h"

#include "agent/base/host_port.h"
#include "agent/net/hosts_file.h"

#include <ares.h>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace sonde::net {

using boost::system::error_code;
using Clock = std::chrono::steady_clock;

void throw_exception_from_error(const ResolveFailure& failure, const boost::source_location&)
{
    throw std::runtime_error{failure.message};
}

namespace {

constexpr std::chrono::seconds remembers_answers{60};  // spec 02 §1.10, local_resolver_unreachable

/// What c-ares found: a status of its own, and addresses in its order.
struct Answer {
    int status = ARES_ECANCELLED;
    std::vector<asio::ip::address> addresses;
    bool heard = false;  ///< a server sent something
};

/// When a server last sent anything, to whichever lookup.
using LastHeard = std::shared_ptr<Clock::time_point>;

/// One lookup with a channel of its own: the configuration is always the current one, and a lookup
/// that is cancelled takes its sockets with it. Lives until c-ares has called back.
class Lookup : public std::enable_shared_from_this<Lookup> {
public:
    using Handler = asio::any_completion_handler<void(error_code, Answer)>;

    Lookup(const asio::any_io_executor& loop, LastHeard last_heard)
        : loop_{loop}, timer_{loop}, last_heard_{std::move(last_heard)}
    {}
    ~Lookup()
    {
        if (channel_)
            ares_destroy(channel_);
    }
    Lookup(const Lookup&) = delete;
    Lookup& operator=(const Lookup&) = delete;

    void start(const std::string& host, int family, const ResolverFiles& files, Handler handler);

private:
    struct Watch {
        Watch(const asio::any_io_executor& loop, ares_socket_t socket) : descriptor{loop, socket} {}
        asio::posix::stream_descriptor descriptor;  // borrowed: c-ares opens and closes the socket
        bool reading = false;
        bool writing = false;
        bool wants_read = false;
        bool wants_write = false;
    };

    int open_channel(const ResolverFiles& files);
    static void on_state(void* self, ares_socket_t socket, int readable, int writable);
    static void on_answer(void* self, int status, int timeouts, ares_addrinfo* found);
    void arm(const std::shared_ptr<Watch>& watch);
    void act(ares_socket_t read, ares_socket_t write);
    void set_timer();
    void finish();

    static const ares_socket_functions sockets;
    asio::any_io_executor loop_;
    asio::steady_timer timer_;
    LastHeard last_heard_;
    std::map<ares_socket_t, std::shared_ptr<Watch>> watches_;
    ares_channel channel_ = nullptr;
    Handler handler_;
    Answer answer_;
    bool answered_ = false;
    std::shared_ptr<Lookup> self_;  // until the answer is there
};

// c-ares' own socket calls, but for one thing: an arriving datagram is noted. Its statuses do not
// tell a server that refuses to answer from one that is not there.
const ares_socket_functions Lookup::sockets{
    [](int domain, int type, int protocol, void*) -> ares_socket_t {
        return ::socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    },
    [](ares_socket_t socket, void*) { return ::close(socket); },
    [](ares_socket_t socket, const sockaddr* address, ares_socklen_t size, void*) {
        return ::connect(socket, address, size);
    },
    [](ares_socket_t socket, void* buffer, std::size_t size, int flags, sockaddr* from,
        ares_socklen_t* from_size, void* self) -> ares_ssize_t {
        const auto received = ::recvfrom(socket, buffer, size, flags, from, from_size);
        if (received > 0) {
            auto& lookup = *static_cast<Lookup*>(self);
            lookup.answer_.heard = true;
            *lookup.last_heard_ = Clock::now();
        }
        return received;
    },
    [](ares_socket_t socket, const iovec* parts, int count, void*) -> ares_ssize_t {
        return ::writev(socket, parts, count);
    },
};

int Lookup::open_channel(const ResolverFiles& files)
{
    static std::once_flag once;
    std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
    const ResolvConf conf = read_resolv_conf(files.resolv_conf);
    std::string path = files.resolv_conf;
    char dns_only[] = "b";  // the hosts file has been asked already
    ares_options options{};
    options.timeout = conf.timeout_seconds * 1000;
    options.tries = conf.attempts;
    options.udp_port = files.port;
    options.tcp_port = files.port;
    options.lookups = dns_only;
    options.resolvconf_path = path.data();
    options.sock_state_cb = &Lookup::on_state;
    options.sock_state_cb_data = this;
    const int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT |
                      ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF | ARES_OPT_SOCK_STATE_CB;
    const int status = ares_init_options(&channel_, &options, given);
    if (status == ARES_SUCCESS)
        ares_set_socket_functions(channel_, &sockets, this);
    return status;
}

void Lookup::start(const std::string& host, int family, const ResolverFiles& files, Handler handler)
{
    self_ = shared_from_this();
    auto slot = asio::get_associated_cancellation_slot(handler);
    handler_.swap(handler);
    if (const int status = open_channel(files); status != ARES_SUCCESS) {
        channel_ = nullptr;
        answer_.status = status;
        answered_ = true;
        finish();
        return;
    }
    if (slot.is_connected())
        slot.assign([weak = weak_from_this()](asio::cancellation_type) {
            if (const auto self = weak.lock(); self && self->channel_ && !self->answered_) {
                ares_cancel(self->channel_);  // calls back at once
                self->finish();
            }
        });
    ares_addrinfo_hints hints{};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;  // else each address comes once for every socket type
    ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, &Lookup::on_answer, this);
    set_timer();
    finish();
}

void Lookup::on_state(void* self, ares_socket_t socket, int readable, int writable)
{
    auto& lookup = *static_cast<Lookup*>(self);
    if (!readable && !writable) {
        if (auto removed = lookup.watches_.extract(socket))
            removed.mapped()->descriptor.release();
        return;
    }
    auto& watch = lookup.watches_[socket];
    if (!watch)
        watch = std::make_shared<Watch>(lookup.loop_, socket);
    watch->wants_read = readable != 0;
    watch->wants_write = writable != 0;
    lookup.arm(watch);
}

void Lookup::arm(const std::shared_ptr<Watch>& watch)
{
    using Descriptor = asio::posix::stream_descriptor;
    if (watch->wants_read && !std::exchange(watch->reading, true))
        watch->descriptor.async_wait(
            Descriptor::wait_read, [self = shared_from_this(), watch](error_code error) {
                watch->reading = false;
                if (error != asio::error::operation_aborted)
                    self->act(watch->descriptor.native_handle(), ARES_SOCKET_BAD);
            });
    if (watch->wants_write && !std::exchange(watch->writing, true))
        watch->descriptor.async_wait(
            Descriptor::wait_write, [self = shared_from_this(), watch](error_code error) {
                watch->writing = false;
                if (error != asio::error::operation_aborted)
                    self->act(ARES_SOCKET_BAD, watch->descriptor.native_handle());
            });
}

void Lookup::act(ares_socket_t read, ares_socket_t write)
{
    if (answered_ || !channel_)
        return;
    ares_process_fd(channel_, read, write);
    const ares_socket_t socket = read == ARES_SOCKET_BAD ? write : read;
    if (const auto found = watches_.find(socket); found != watches_.end())
        arm(found->second);
    set_timer();
    finish();
}

void Lookup::set_timer()
{
    if (answered_)
        return;
    timeval time{};
    if (!ares_timeout(channel_, nullptr, &time))
        return;
    timer_.expires_after(
        std::chrono::seconds{time.tv_sec} + std::chrono::microseconds{time.tv_usec});
    timer_.async_wait([self = shared_from_this()](error_code error) {
        if (!error)
            self->act(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    });
}

void Lookup::on_answer(void* self, int status, int, ares_addrinfo* found)
{
    auto& lookup = *static_cast<Lookup*>(self);
    lookup.answered_ = true;
    lookup.answer_.status = status;
    if (!found)
        return;
    for (const ares_addrinfo_node* node = found->nodes; node; node = node->ai_next) {
        if (node->ai_family == AF_INET) {
            const auto& in = *reinterpret_cast<const sockaddr_in*>(node->ai_addr);
            lookup.answer_.addresses.emplace_back(asio::ip::address_v4{ntohl(in.sin_addr.s_addr)});
        } else if (node->ai_family == AF_INET6) {
            const auto& in = *reinterpret_cast<const sockaddr_in6*>(node->ai_addr);
            asio::ip::address_v6::bytes_type bytes;
            std::copy_n(in.sin6_addr.s6_addr, bytes.size(), bytes.begin());
            lookup.answer_.addresses.emplace_back(asio::ip::address_v6{bytes});
        }
    }
    ares_freeaddrinfo(found);
}

/// Hands the answer over once it is there. Never inside a callback of c-ares: the channel goes
/// here.
void Lookup::finish()
{
    if (!answered_ || !handler_)
        return;
    timer_.cancel();
    if (channel_)
        ares_destroy(std::exchange(channel_, nullptr));
    for (const auto& [socket, watch] : watches_)
        watch->descriptor.release();
    watches_.clear();
    const auto error =
        answer_.status == ARES_ECANCELLED ? asio::error::operation_aborted : error_code{};
    asio::post(loop_, asio::append(std::move(handler_), error, std::move(answer_)));
    self_.reset();
}

class DnsResolver final : public Resolver {
public:
    DnsResolver(const asio::any_io_executor& loop, ResolverFiles files)
        : loop_{loop}, files_{std::move(files)}, hosts_{files_.hosts}
    {}

    asio::awaitable<Resolved> resolve(std::string host, IpVersion version) override;
    bool heard_lately() const override
    {
        return *last_heard_ != Clock::time_point::min() &&
               Clock::now() - *last_heard_ < remembers_answers;
    }

private:
    asio::awaitable<Answer> ask(const std::string& host, IpVersion version) const;
    ResolveFailure failure_of(const Answer& answer) const;

    asio::any_io_executor loop_;
    ResolverFiles files_;
    HostsFile hosts_;
    LastHeard last_heard_ = std::make_shared<Clock::time_point>(Clock::time_point::min());
};

/// The one address of spec 02 §1.5, of addresses in order of preference; none: nullptr.
const asio::ip::address* choose(const std::vector<asio::ip::address>& all, IpVersion version)
{
    const auto is_v6 = [](const asio::ip::address& a) { return a.is_v6(); };
    const auto v6 = std::find_if(all.begin(), all.end(), is_v6);
    if (version != IpVersion::v4 && v6 != all.end())
        return &*v6;
    if (version == IpVersion::v6)
        return nullptr;
    if (version == IpVersion::v4) {
        const auto v4 = std::find_if_not(all.begin(), all.end(), is_v6);
        return v4 == all.end() ? nullptr : &*v4;
    }
    return all.empty() ? nullptr : &all.back();  // the last IPv4 address, as the peers do
}

Resolved literal(asio::ip::address address, IpVersion version)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        address = make_address_v4(asio::ip::v4_mapped, address.to_v6());
    const bool fits = version == IpVersion::any || (version == IpVersion::v6) == address.is_v6();
    if (fits)
        return Resolution{address, Resolution::Source::literal};
    return ResolveFailure{"wrong_family",
        fmt::format(
            "{} is no IPv{} address", address.to_string(), version == IpVersion::v6 ? 6 : 4),
        false};
}

ResolveFailure no_address(IpVersion version)
{
    const char* const wanted = version == IpVersion::any  ? "address"
                               : version == IpVersion::v4 ? "IPv4 address"
                                                          : "IPv6 address";
    return {"no_address", fmt::format("the name has no {}", wanted), false};
}

asio::awaitable<Resolved> DnsResolver::resolve(std::string host, IpVersion version)
{
    error_code no_literal;
    const auto address = asio::ip::make_address(host, no_literal);
    if (!no_literal)
        co_return literal(address, version);

    const auto& listed = hosts_.find(host);
    if (!listed.empty()) {
        const auto* found = choose(listed, version);
        if (!found)
            co_return no_address(version);
        co_return Resolution{*found, Resolution::Source::hosts_file};
    }
    const Answer answer = co_await ask(host, version);
    const auto* found = choose(answer.addresses, version);
    if (found)
        co_return Resolution{*found, Resolution::Source::dns};
    if (answer.status == ARES_SUCCESS || answer.status == ARES_ENODATA)
        co_return no_address(version);
    co_return failure_of(answer);
}

asio::awaitable<Answer> DnsResolver::ask(const std::string& host, IpVersion version) const
{
    const int family = version == IpVersion::v4   ? AF_INET
                       : version == IpVersion::v6 ? AF_INET6
                                                  : AF_UNSPEC;
    auto begin = [this, &host, family](auto handler) {
        std::make_shared<Lookup>(loop_, last_heard_)
            ->start(host, family, files_, std::move(handler));
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
        void(error_code, Answer)>(begin, asio::use_awaitable);
}

ResolveFailure DnsResolver::failure_of(const Answer& answer) const
{
    if (answer.status == ARES_ENOTFOUND)
        return {"nxdomain", "no such name", false};
    if (answer.status == ARES_EBADNAME)
        return {"nxdomain", "not a name that DNS can hold", false};
    if (answer.heard)
        return {"servfail",
            fmt::format("the resolver answered with an error: {}", ares_strerror(answer.status)),
            true};
    const bool configured = read_resolv_conf(files_.resolv_conf).has_server;
    if (answer.status == ARES_ETIMEOUT && configured && heard_lately())
        return {"resolver_silent", "no resolver answered in time", true};
    return {"local_resolver_unreachable",
        configured ? "this probe cannot reach a resolver of /etc/resolv.conf"
                   : "this probe has no resolver: /etc/resolv.conf names none",
        true};
}

}  // namespace

std::unique_ptr<Resolver> make_resolver(
    const asio::any_io_executor& loop, const ResolverFiles& files)
{
    return std::make_unique<DnsResolver>(loop, files);
}

}  // namespace sonde::net
