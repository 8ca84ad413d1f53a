#pragma once

#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sonde::tests {

/// Awaits that something accepts connections on a loopback port; fails the test after 30 s.
void await_listener(std::uint16_t port);

/// Debian's nginx with what a test lets it serve; in the foreground, gone with the test.
class Nginx {
public:
    /// @param servers `server { … }` blocks of the configuration; they listen on ports of
    ///     free_port(), of which `awaited` is asked for until it answers.
    Nginx(const ScratchFolder& folder, const std::string& servers, std::uint16_t awaited);

private:
    std::optional<Process> process_;
};

/// Debian's knot, the authority for one zone, on a port of 127.0.0.1.
class Knot {
public:
    /// @param zone name without final dot; @param records zone file text.
    Knot(const ScratchFolder& folder, const std::string& zone, const std::string& records);

    std::uint16_t port() const { return port_; }

private:
    std::uint16_t port_ = free_port();
    std::optional<Process> process_;
};

}  // namespace sonde::tests
