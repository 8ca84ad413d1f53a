#include "tests/bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace sonde::bench {

void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw std::runtime_error{"cannot pin to core " + std::to_string(core)};
}

Process::Process(const std::vector<std::string>& command, int core)
{
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0)
        throw std::runtime_error{"no pipe"};
    pid_ = ::fork();
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(core);
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::execvp(arguments[0], arguments.data());
        std::_Exit(127);
    }
    end_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (pid_ < 0 || end_ < 0)
        throw std::runtime_error{"no process"};
    ::close(in[0]);
    ::close(out[1]);
    to_ = ::fdopen(in[1], "w");
    from_ = ::fdopen(out[0], "r");
}

Process::~Process()
{
    std::fclose(to_);
    std::fclose(from_);
    ::close(end_);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

std::string Process::ask(const std::string& line)
{
    std::fprintf(to_, "%s\n", line.c_str());
    std::fflush(to_);
    std::string answer;
    for (int c = std::fgetc(from_); c != '\n'; c = std::fgetc(from_)) {
        if (c == EOF)
            throw std::runtime_error{"the program under test ended at: " + line};
        answer += static_cast<char>(c);
    }
    return answer;
}

void Process::let_work(std::chrono::nanoseconds time) const
{
    const auto until = std::chrono::steady_clock::now() + time;
    for (auto left = time; left > left.zero(); left = until - std::chrono::steady_clock::now()) {
        pollfd end{end_, POLLIN, 0};
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        const timespec limit{seconds.count(), (left - seconds).count()};
        if (::ppoll(&end, 1, &limit, nullptr) > 0)
            throw std::runtime_error{"the program under test has ended"};
    }
}

double Process::cpu_seconds() const
{
    // The sum of utime and stime of /proc/PID/stat, but in nanoseconds instead of ticks of 10 ms.
    clockid_t clock = 0;
    timespec used{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
        throw std::runtime_error{"the program under test is gone"};
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::size_t Process::descriptors() const
{
    const std::filesystem::directory_iterator all{"/proc/" + std::to_string(pid_) + "/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

double Process::memory_mib(std::string_view row) const
{
    std::ifstream in{"/proc/" + std::to_string(pid_) + "/status"};
    for (std::string word; in >> word;)
        if (word == row) {
            double kib = 0;
            in >> kib;
            return kib / 1024;
        }
    return 0;
}

Hog::Hog(int core) : pid_{::fork()}
{
    if (pid_ != 0)
        return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(core);
    ::alarm(120);
    for (volatile unsigned turns = 0;;)
        turns = turns + 1;
}

Hog::~Hog()
{
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

}  // namespace sonde::bench
