#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::bench {

/// A program under test: pinned to one core, its lines exchanged over pipes, ended with this
/// object.
class Process {
public:
    Process(const std::vector<std::string>& command, int core);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    /// Writes a line and awaits the line that answers it. @throws runtime_error at its end.
    std::string ask(const std::string& line);

    /// Lets it work for so long. @throws runtime_error when it ends before.
    void let_work(std::chrono::nanoseconds time) const;

    /// User and system time of all its threads so far, in seconds.
    double cpu_seconds() const;
    double rss_mib() const { return memory_mib("VmRSS:"); }
    double peak_rss_mib() const { return memory_mib("VmHWM:"); }  ///< the most so far
    std::size_t descriptors() const;                              ///< open ones

private:
    double memory_mib(std::string_view row) const;

    pid_t pid_ = -1;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
    int end_ = -1;  // readable once it has ended
};

/// Pins the calling thread, and those it starts, to one core.
void pin(int core);

/// Burns a core beside whoever is measured there, at most for two minutes.
class Hog {
public:
    explicit Hog(int core);
    ~Hog();
    Hog(const Hog&) = delete;
    Hog& operator=(const Hog&) = delete;

private:
    pid_t pid_;
};

}  // namespace sonde::bench
