#pragma once

#include "tests/support/api_client.h"
#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace sonde::tests {

enum class DatabaseKind { sqlite, postgresql };
std::string to_string(DatabaseKind kind);

/// Asks again and again until the answer is yes; gives up after a minute. @return the answer.
bool await(const std::function<bool()>& happened);

/// A new database of the API, with the key that seals it.
class ControlDatabase {
public:
    explicit ControlDatabase(DatabaseKind kind);

    DatabaseKind kind() const { return kind_; }
    std::string url() const { return url_; }
    std::string key_file() const { return folder_.path("secrets.key"); }

    /// Runs a statement beside whoever else works with the database. @return the first value of
    /// the first row.
    std::string sql(const std::string& statement) const;
    /// Takes all records from the change log, as if they were older than its retention.
    void prune() const;
    /// Ends the leases of all probes, as time does.
    void expire_leases() const;

private:
    DatabaseKind kind_;
    ScratchFolder folder_;
    std::string url_;
};

/// The program under test as a control plane and nothing else, one replica of it.
class ControlPlane {
public:
    /// @param database outlives it. @param max_backlog `control.changes.max_backlog`.
    explicit ControlPlane(const ControlDatabase& database, std::size_t max_backlog = 10'000);

    void start();         ///< and awaits that it answers
    void launch();        ///< does not wait
    void kill();          ///< SIGKILL
    int stop();           ///< SIGTERM. @return the exit status
    void await_answer();  ///< by HTTP

    std::uint16_t http_port() const { return http_port_; }
    std::string grpc_address() const;
    std::string log() const { return log_ + (sonde_ ? sonde_->output() : ""); }

private:
    std::string yaml(std::size_t max_backlog) const;

    const ControlDatabase& database_;
    ScratchFolder folder_;
    std::uint16_t http_port_ = free_port();
    std::uint16_t grpc_port_ = free_port();
    std::uint16_t status_port_ = free_port();
    std::optional<Process> sonde_;
    std::string log_;  // of the processes before
};

/// Registers the tenant that every test has. @return its access token.
std::string register_tenant(const ControlPlane& at);

}  // namespace sonde::tests
