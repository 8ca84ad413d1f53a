#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

namespace sonde::tests {

/// While it lives, this process cannot open another file or socket (EMFILE).
class NoDescriptors {
public:
    NoDescriptors()
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::close(lowest_free);
        rlimit none = before_;
        none.rlim_cur = static_cast<rlim_t>(lowest_free);
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;

private:
    rlimit before_{};
};

/// While it lives, this thread has no CAP_NET_RAW.
class NoRawSockets {
public:
    NoRawSockets()
    {
        ::syscall(SYS_capget, &header_, before_);
        __user_cap_data_struct without[2] = {before_[0], before_[1]};
        without[0].effective &= ~(1U << CAP_NET_RAW);
        ::syscall(SYS_capset, &header_, without);
    }
    ~NoRawSockets() { ::syscall(SYS_capset, &header_, before_); }
    NoRawSockets(const NoRawSockets&) = delete;
    NoRawSockets& operator=(const NoRawSockets&) = delete;

private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct before_[2]{};
};

/// While it lives, this thread's new sockets are in a network of their own: a loopback interface,
/// no other, no route beyond it, and a kernel that answers no pings unless told to. Needs
/// CAP_SYS_ADMIN.
class PrivateNetwork {
public:
    explicit PrivateNetwork(int mtu = 65536, bool answers_pings = false)
    {
        before_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        ready_ = ::unshare(CLONE_NEWNET) == 0;
        if (!ready_)
            return;
        const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ifreq loopback{};
        std::strcpy(loopback.ifr_name, "lo");
        loopback.ifr_mtu = mtu;
        ready_ = ::ioctl(control, SIOCSIFMTU, &loopback) == 0;
        loopback.ifr_flags = IFF_UP;
        ready_ = ::ioctl(control, SIOCSIFFLAGS, &loopback) == 0 && ready_;
        ::close(control);
        std::ofstream{"/proc/sys/net/ipv4/icmp_echo_ignore_all"} << (answers_pings ? 0 : 1);
    }
    ~PrivateNetwork()
    {
        if (before_ >= 0)
            ::setns(before_, CLONE_NEWNET);
        ::close(before_);
    }
    PrivateNetwork(const PrivateNetwork&) = delete;
    PrivateNetwork& operator=(const PrivateNetwork&) = delete;

    bool ready() const { return ready_; }  ///< false: this process may not have one

private:
    int before_ = -1;
    bool ready_ = false;
};

}  // namespace sonde::tests
