// bench_target PORT: a web and a DNS server on 127.0.0.1 that answer so many microseconds after a
// request has reached the kernel as its path (/d5000) or first label (d5000.bench.test) says. For
// the line "errors" it prints how late it was itself since the last time: "KIND DELAY P50 P99", in
// microseconds, separated by semicolons.

#include "tests/bench/statistics.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <queue>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds spin = 200'000;  // the end of a wait is spent awake: a sleep would be late

Nanoseconds now()
{
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);  // the clock of the kernel's stamps
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// An answer that waits for its time.
struct Answer {
    Nanoseconds due;
    std::string kind;
    long delay_us;
    int socket;
    sockaddr_in to;  ///< of DNS
    std::string bytes;

    bool operator<(const Answer& other) const { return due > other.due; }
};

struct Received {
    std::string bytes;
    sockaddr_in from{};
    Nanoseconds stamp = 0;  ///< when the kernel had it
};

int listener(int type, std::uint16_t port)
{
    const int fd = ::socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        (type == SOCK_STREAM && ::listen(fd, 1024) != 0))
        throw std::runtime_error{"cannot listen"};
    return fd;
}

bool receive(int socket, Received& into)
{
    std::array<char, 4096> buffer{};
    alignas(cmsghdr) std::array<char, 128> control{};
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_name = &into.from;
    header.msg_namelen = sizeof into.from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto size = ::recvmsg(socket, &header, MSG_DONTWAIT);
    if (size <= 0)
        return false;
    into.bytes.assign(buffer.data(), static_cast<std::size_t>(size));
    into.stamp = now();
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each; each = CMSG_NXTHDR(&header, each))
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
            timespec t{};
            std::memcpy(&t, CMSG_DATA(each), sizeof t);
            into.stamp = t.tv_sec * 1'000'000'000 + t.tv_nsec;
        }
    return true;
}

class Target {
public:
    explicit Target(std::uint16_t port)
        : web_{listener(SOCK_STREAM, port)}, names_{listener(SOCK_DGRAM, port)}
    {}

    void run();

private:
    bool orders();
    void accept_all();
    void read_request(int socket);
    void read_queries();
    void send_due();
    void plan(Answer answer, Nanoseconds stamp);

    int web_;
    int names_;
    std::vector<int> connections_;
    std::priority_queue<Answer> waiting_;
    std::map<std::pair<std::string, long>, std::vector<double>> late_us_;
};

void Target::run()
{
    for (;;) {
        send_due();
        std::vector<pollfd> watched{
            {STDIN_FILENO, POLLIN, 0}, {web_, POLLIN, 0}, {names_, POLLIN, 0}};
        for (const int connection : connections_)
            watched.push_back({connection, POLLIN, 0});
        timespec rest{60, 0};
        if (!waiting_.empty()) {
            const Nanoseconds left = std::max<Nanoseconds>(waiting_.top().due - now() - spin, 0);
            rest = {left / 1'000'000'000, left % 1'000'000'000};
        }
        if (::ppoll(watched.data(), watched.size(), &rest, nullptr) <= 0)
            continue;
        if (watched[0].revents != 0 && !orders())
            return;
        read_queries();
        for (std::size_t i = 3; i < watched.size(); ++i)
            if (watched[i].revents != 0)
                read_request(watched[i].fd);
        accept_all();
    }
}

/// @return whether there is anybody left to give some.
bool Target::orders()
{
    std::array<char, 256> line{};
    if (::read(STDIN_FILENO, line.data(), line.size()) <= 0)
        return false;
    for (const auto& [what, late] : late_us_)
        std::printf("%s %ld %.1f %.1f;", what.first.c_str(), what.second,
            sonde::bench::median(late), sonde::bench::quantile(late, 0.99));
    std::printf("\n");
    std::fflush(stdout);
    late_us_.clear();
    return true;
}

void Target::accept_all()
{
    for (;;) {
        const int socket = ::accept4(web_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0)
            return;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections_.push_back(socket);
    }
}

void Target::read_request(int socket)
{
    Received request;
    std::erase(connections_, socket);
    const bool whole = receive(socket, request) && request.bytes.starts_with("GET /d");
    if (!whole) {
        ::close(socket);
        return;
    }
    const long delay = std::atol(request.bytes.c_str() + 6);
    plan({0, "http", delay, socket, {},
             "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"},
        request.stamp);
}

void Target::read_queries()
{
    for (Received query; receive(names_, query);) {
        constexpr std::size_t header = 12;
        const auto end_of_name = query.bytes.find('\0', header);
        if (query.bytes.size() < header + 2 || end_of_name == std::string::npos)
            continue;
        const long delay = std::atol(query.bytes.c_str() + header + 2);  // behind length and "d"
        std::string answer = query.bytes.substr(0, end_of_name + 5);
        answer.replace(2, header - 2, std::string_view{"\x85\x80\0\x01\0\x01\0\0\0\0", 10});
        answer += std::string_view{"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01", 16};
        plan({0, "dns", delay, names_, query.from, std::move(answer)}, query.stamp);
    }
}

void Target::plan(Answer answer, Nanoseconds stamp)
{
    answer.due = stamp + answer.delay_us * 1000;
    waiting_.push(std::move(answer));
}

void Target::send_due()
{
    while (!waiting_.empty() && waiting_.top().due - now() <= spin) {
        const Answer answer = waiting_.top();
        waiting_.pop();
        while (now() < answer.due) {
        }
        if (answer.kind == "dns")
            ::sendto(answer.socket, answer.bytes.data(), answer.bytes.size(), 0,
                reinterpret_cast<const sockaddr*>(&answer.to), sizeof answer.to);
        else
            ::send(answer.socket, answer.bytes.data(), answer.bytes.size(), MSG_NOSIGNAL);
        late_us_[{answer.kind, answer.delay_us}].push_back(
            static_cast<double>(now() - answer.due) / 1000);
        if (answer.kind == "http")
            ::close(answer.socket);
    }
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc != 2)
        return EXIT_FAILURE;
    const sched_param first{1};  // before all others on its core; without the right it is later
    if (::sched_setscheduler(0, SCHED_FIFO, &first) != 0)
        std::fprintf(stderr, "bench_target: no real-time priority, more late\n");
    Target{static_cast<std::uint16_t>(std::atoi(argv[1]))}.run();
    return EXIT_SUCCESS;
}
