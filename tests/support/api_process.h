#pragma once

#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sonde::tests {

/// The program under test (`SONDE_BINARY`) as a control plane and nothing else, over SQLite.
///
/// Its directory is the one of spec 04 §11, and besides organization 1002 with stack 12, instances
/// 21 and 22, tokens `pub-gamma` and `adm-gamma`, and room for one check. Instance 11 has a viewer
/// token, `view-beta`.
class ApiProcess {
public:
    /// @param options more of `control:`, in YAML, indented by two.
    explicit ApiProcess(const std::string& options = "");

    std::uint16_t http_port() const { return http_port_; }
    std::string grpc_address() const;
    /// What `/metrics` says.
    std::string metrics() const;
    std::string log() const { return sonde_->output(); }
    /// All that it has on disk, one file after the other, by name.
    std::string content_of_state() const;
    std::string database_file() const { return folder_.path("state/control.db"); }

    /// SIGTERM. @return the exit status.
    int stop();

private:
    void start();

    ScratchFolder folder_;
    std::uint16_t http_port_ = free_port();
    std::uint16_t grpc_port_ = free_port();
    std::uint16_t status_port_ = free_port();
    std::optional<Process> sonde_;
};

}  // namespace sonde::tests
