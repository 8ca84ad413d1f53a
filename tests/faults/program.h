#pragma once

#include "tests/support/process.h"
#include "tests/support/scratch_folder.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sonde::tests {

/// The program under test (`SONDE_BINARY`), with options that a test writes, life after life.
class Program {
public:
    struct Reply {
        int status = 0;
        std::string body = {};
    };

    /// Where its state goes, where its status server listens; the first lines of its options.
    std::string head(const std::string& status_options = {}) const;
    /// Writes the options file. @return its path.
    std::string configure(const std::string& options) const;

    /// @param environment "NAME=value".
    void start(const std::vector<std::string>& environment = {});
    void kill();  ///< SIGKILL
    int stop();   ///< SIGTERM. @return the exit status
    void signal(int number) const;

    Reply get(const std::string& path) const;
    Reply post(const std::string& path) const;
    /// Sum of a metric over all its labels, as `/metrics` says now.
    double metric(const std::string& name) const;
    /// What all its lives have written.
    std::string log() const;
    bool said(const std::string& text) const;

    /// Runs another verb of the program with its options file. @return its output.
    Reply run(const std::string& verb, const std::vector<std::string>& arguments = {}) const;

    const ScratchFolder& folder() const { return folder_; }
    std::string directory() const { return folder_.path("state"); }
    std::string options_file() const { return folder_.path("sonde.yaml"); }

private:
    Reply ask(const char* method, const std::string& path) const;

    ScratchFolder folder_;
    std::uint16_t status_port_ = free_port();
    std::optional<Process> sonde_;
    int starts_ = 0;
};

/// Asks again and again until the answer is yes; fails the test after `limit`.
void await(const std::string& what, const std::function<bool()>& happened,
    std::chrono::seconds limit = std::chrono::seconds{60});

}  // namespace sonde::tests
