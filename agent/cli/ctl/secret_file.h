#pragma once

#include "agent/base/error.h"

#include <string>
#include <string_view>

namespace sonde::cli::ctl {

/// A file for a secret that is about to be made: only its owner can read it, and what stood there
/// stays until the new one is complete.
class SecretFile {
public:
    /// Makes sure that it can be written, before a secret is made that nobody could keep.
    /// @return Error "secret_file".
    static Result<SecretFile> prepare(const std::string& path);
    SecretFile(SecretFile&& other) noexcept;
    SecretFile& operator=(SecretFile&&) = delete;
    ~SecretFile();

    Result<> write(std::string_view secret);

private:
    SecretFile(std::string path, std::string temporary, int descriptor);

    std::string path_;
    std::string temporary_;
    int descriptor_;
};

}  // namespace sonde::cli::ctl
