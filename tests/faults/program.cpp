#include "tests/faults/program.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace sonde::tests {
namespace {

std::string binary()
{
    const char* const path = std::getenv("SONDE_BINARY");
    REQUIRE_MESSAGE(path != nullptr, "SONDE_BINARY names the program under test");
    return path;
}

}  // namespace

void await(
    const std::string& what, const std::function<bool()>& happened, std::chrono::seconds limit)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!happened()) {
        REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, what);
        ::poll(nullptr, 0, 20);
    }
}

std::string Program::head(const std::string& status_options) const
{
    return fmt::format("state_dir: {}\nlog: {{level: info, format: json}}\n"
                       "status: {{listen: \"127.0.0.1:{}\"{}}}\n",
        directory(), status_port_, status_options.empty() ? "" : ", " + status_options);
}

std::string Program::configure(const std::string& options) const
{
    return folder_.write("sonde.yaml", options);
}

void Program::start(const std::vector<std::string>& environment)
{
    sonde_.emplace(std::vector<std::string>{binary(), "run", "--config", options_file()},
        folder_.path(fmt::format("log{}", starts_++)), environment);
    await("the agent comes up:\n" + log(), [&] { return get("/live").status == 200; });
}

void Program::kill()
{
    sonde_->signal(SIGKILL);
    sonde_->wait();
    sonde_.reset();
}

int Program::stop()
{
    sonde_->signal(SIGTERM);
    const int status = sonde_->wait();
    sonde_.reset();
    return status;
}

void Program::signal(int number) const
{
    sonde_->signal(number);
}

Program::Reply Program::get(const std::string& path) const
{
    return ask("GET", path);
}

Program::Reply Program::post(const std::string& path) const
{
    return ask("POST", path);
}

Program::Reply Program::ask(const char* method, const std::string& path) const
{
    Reply reply;
    reply.body =
        http(method, fmt::format("http://127.0.0.1:{}{}", status_port_, path), &reply.status);
    return reply;
}

double Program::metric(const std::string& name) const
{
    std::istringstream lines{get("/metrics").body};
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
        const bool is_it = line.starts_with(name + '{') || line.starts_with(name + ' ');
        if (is_it)
            sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
    }
    return sum;
}

std::string Program::log() const
{
    std::string all;
    for (int i = 0; i < starts_; ++i)
        all += content_of(folder_.path(fmt::format("log{}", i)));
    return all;
}

bool Program::said(const std::string& text) const
{
    return log().find(text) != std::string::npos;
}

Program::Reply Program::run(
    const std::string& verb, const std::vector<std::string>& arguments) const
{
    std::vector<std::string> command{binary(), verb, "--config", options_file()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Reply reply;
    reply.body = tests::run(command, &reply.status);
    return reply;
}

}  // namespace sonde::tests
