#pragma once

#include "agent/cli/cli.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace sonde::tests {

namespace asio = boost::asio;

/// All that goes to a descriptor, standard output or error, instead of where it went.
class Captured {
public:
    explicit Captured(int descriptor)
        : descriptor_{descriptor}, file_{::memfd_create("captured", MFD_CLOEXEC)}
    {
        flush();
        saved_ = ::dup(descriptor_);
        ::dup2(file_, descriptor_);
    }
    ~Captured()
    {
        give_back();
        ::close(file_);
    }
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;

    /// Ends it. @return what was written.
    std::string text()
    {
        give_back();
        std::string out(static_cast<std::size_t>(::lseek(file_, 0, SEEK_END)), '\0');
        REQUIRE(::pread(file_, out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()));
        return out;
    }

private:
    static void flush()
    {
        std::cout.flush();
        std::cerr.flush();
        std::fflush(nullptr);
    }
    void give_back()
    {
        if (saved_ < 0)
            return;
        flush();
        ::dup2(saved_, descriptor_);
        ::close(saved_);
        saved_ = -1;
    }

    int descriptor_;
    int file_;
    int saved_ = -1;
};

/// Runs a loop on a thread of its own while it lives: the verbs keep theirs to themselves.
class Serving {
public:
    explicit Serving(asio::io_context& loop)
        : loop_{loop}, stays_{loop.get_executor()}, thread_{[this] { loop_.run(); }}
    {}
    ~Serving()
    {
        loop_.stop();
        thread_.join();
        loop_.restart();
    }
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

private:
    asio::io_context& loop_;
    asio::executor_work_guard<asio::io_context::executor_type> stays_;
    std::thread thread_;
};

/// What a command came to. `run` has no status: it was not carried out.
struct Outcome {
    int status = -1;
    std::string out;
    std::string error;
    cli::RunCommand run = {};

    nlohmann::json json() const
    {
        auto value = nlohmann::json::parse(out, nullptr, false);
        REQUIRE_MESSAGE(value.is_object(), out << error);
        return value;
    }
};

/// A loopback port that refuses connections: it is taken, and nobody listens.
class ClosedPort {
public:
    explicit ClosedPort(asio::io_context& loop)
        : socket_{loop, {asio::ip::address_v4::loopback(), 0}}
    {}
    std::string address() const
    {
        return "127.0.0.1:" + std::to_string(socket_.local_endpoint().port());
    }

private:
    asio::ip::tcp::socket socket_;
};

/// The command line as users type it, in this process; servers of `loop` answer meanwhile.
struct CliFixture {
    asio::io_context loop;
    ScratchFolder folder;

    /// @param words of the command line behind "sonde"; @param input standard input.
    Outcome sonde(std::vector<std::string> words, const std::string& input = "")
    {
        words.insert(words.begin(), "sonde");
        return type(std::move(words), input);
    }

    /// @param words the program's name first.
    Outcome type(std::vector<std::string> words, const std::string& input = "")
    {
        std::vector<char*> arguments;
        for (std::string& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        std::istringstream typed{input};
        std::streambuf* const terminal = std::cin.rdbuf(typed.rdbuf());
        Outcome outcome;
        {
            const Serving servers{loop};
            Captured out{STDOUT_FILENO};
            Captured error{STDERR_FILENO};
            auto asked = cli::parse(static_cast<int>(words.size()), arguments.data());
            outcome.error = error.text();
            outcome.out = out.text();
            if (const int* status = std::get_if<int>(&asked))
                outcome.status = *status;
            else
                outcome.run = std::get<cli::RunCommand>(std::move(asked));
        }
        std::cin.rdbuf(terminal);
        return outcome;
    }

    /// `sonde check …`, which has no more to say than its exit status and one object.
    Outcome check(std::vector<std::string> words)
    {
        words.insert(words.begin(), "check");
        words.insert(words.end(), {"-o", "json"});
        return sonde(std::move(words));
    }
};

}  // namespace sonde::tests
