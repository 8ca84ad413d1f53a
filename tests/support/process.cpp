#include "tests/support/process.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>

namespace sonde::tests {
namespace {

std::string read_file(const std::string& file)
{
    std::ifstream in{file};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::size_t append(const char* data, std::size_t, std::size_t size, void* into)
{
    static_cast<std::string*>(into)->append(data, size);
    return size;
}

}  // namespace

Process::Process(const std::vector<std::string>& command, std::string log_file,
    const std::vector<std::string>& environment)
    : log_file_{std::move(log_file)}
{
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::vector<char*> variables;  // of two of one name the first counts
    for (const std::string& each : environment)
        variables.push_back(const_cast<char*>(each.c_str()));
    for (char** each = environ; *each; ++each)
        variables.push_back(*each);
    variables.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(
        &actions, 1, log_file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawnattr_t attributes;  // a group of its own: nginx has children
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    // A server of the test must not live on in what it starts.
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    const int failed = posix_spawnp(
        &pid_, arguments[0], &actions, &attributes, arguments.data(), variables.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        throw std::runtime_error{"cannot start " + command.front()};
}

Process::~Process()
{
    if (status_ >= 0)
        return;
    ::kill(-pid_, SIGKILL);
    wait();
}

void Process::signal(int number) const
{
    ::kill(pid_, number);
}

int Process::wait()
{
    if (status_ < 0) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return status_;
}

std::string Process::output() const
{
    return read_file(log_file_);
}

std::uint16_t free_port()
{
    constexpr unsigned first = 10'000;
    constexpr unsigned ports = 22'000;  // up to where those of outgoing connections begin
    static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 101U};
    for (unsigned tried = 0; tried < ports; ++tried) {
        const auto port = static_cast<std::uint16_t>(first + next++ % ports);
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        ::close(fd);
        if (free)
            return port;
    }
    throw std::runtime_error{"no port is free"};
}

std::string run(const std::vector<std::string>& command, int* status)
{
    char name[] = "/tmp/sonde-run.XXXXXX";
    ::close(::mkstemp(name));
    Process process{command, name};
    const int ended = process.wait();
    if (status)
        *status = ended;
    std::string output = process.output();
    ::unlink(name);
    return output;
}

std::string http(const std::string& method, const std::string& url, int* status,
    const std::vector<std::string>& headers, const std::string& body)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{
        curl_easy_init(), &curl_easy_cleanup};
    curl_slist* raw = nullptr;
    for (const std::string& header : headers)
        raw = curl_slist_append(raw, header.c_str());
    const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> list{
        raw, &curl_slist_free_all};
    std::string answer;
    curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, list.get());
    curl_easy_setopt(easy.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
    if (!body.empty())
        curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body.c_str());
    long code = 0;
    if (curl_easy_perform(easy.get()) == CURLE_OK)
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &code);
    if (status)
        *status = static_cast<int>(code);
    return answer;
}

}  // namespace sonde::tests
