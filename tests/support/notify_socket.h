#pragma once

#include <string>
#include <string_view>

namespace sonde::tests {

/// Where a program tells what it would tell systemd (sd_notify): so its start can be awaited.
class NotifySocket {
public:
    /// @param path new, and short enough for a socket. @throws runtime_error.
    explicit NotifySocket(std::string path);
    ~NotifySocket();
    NotifySocket(const NotifySocket&) = delete;
    NotifySocket& operator=(const NotifySocket&) = delete;

    /// For the program's environment: `NOTIFY_SOCKET=…`.
    std::string variable() const { return "NOTIFY_SOCKET=" + path_; }

    /// @return whether a message with this line came within a minute of the last other one.
    bool await(std::string_view line) const;

private:
    std::string path_;
    int socket_;
};

}  // namespace sonde::tests
