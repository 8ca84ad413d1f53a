#pragma once

#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sonde::tests {

namespace asio = boost::asio;

/// Debian's blackbox_exporter on a loopback port, gone with the test.
class Blackbox {
public:
    /// Fails the test when it is not installed.
    explicit Blackbox(asio::io_context& loop);

    /// Probes once by a module of this one's settings, while the loop runs.
    /// @param prober "http", "dns", "icmp" or "tcp"
    /// @param options members of the prober's settings, in YAML's flow style
    /// @return the exposition
    std::string probe(std::string_view prober, std::string_view options, std::string_view target,
        std::chrono::milliseconds timeout);

private:
    /// @return the body; the test fails for a status other than 200.
    std::string ask(std::string_view method, std::string_view path);

    asio::io_context& loop_;
    ScratchFolder folder_;
    std::uint16_t port_ = free_port();
    std::optional<Process> process_;
};

}  // namespace sonde::tests
