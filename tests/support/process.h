#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sonde::tests {

/// A program started by a test: its output goes to a file, and it ends with the test.
class Process {
public:
    /// @param environment added to the test's own: "NAME=value".
    Process(const std::vector<std::string>& command, std::string log_file,
        const std::vector<std::string>& environment = {});
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void signal(int number) const;
    /// Awaits its end. @return the exit status; 128 and the number of the signal that ended it.
    int wait();
    /// All that it has written so far.
    std::string output() const;

private:
    pid_t pid_ = -1;
    int status_ = -1;
    std::string log_file_;
};

/// A loopback port that nobody uses now, and that no outgoing connection will take: a server may be
/// ended and started again on it.
std::uint16_t free_port();

/// Runs a program to its end. @return its output, standard error included.
std::string run(const std::vector<std::string>& command, int* status = nullptr);

/// Asks by HTTP, with curl. @return the body; the status goes to `status`, 0 when none came.
std::string http(const std::string& method, const std::string& url, int* status = nullptr,
    const std::vector<std::string>& headers = {}, const std::string& body = "");

}  // namespace sonde::tests
