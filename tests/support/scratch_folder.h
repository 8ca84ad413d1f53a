#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace sonde::tests {

/// A new folder that goes with the test.
class ScratchFolder {
public:
    ScratchFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "sonde-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~ScratchFolder()
    {
        std::error_code left_behind;
        std::filesystem::remove_all(path_, left_behind);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    std::string path(std::string_view name) const { return (path_ / name).string(); }

    /// Writes a file that only we can read. @return its path.
    std::string write(std::string_view name, std::string_view content) const
    {
        const std::string file = path(name);
        std::ofstream{file, std::ios::binary} << content;
        std::filesystem::permissions(file, std::filesystem::perms{0600});
        return file;
    }

private:
    std::filesystem::path path_;
};

/// The source tree, for tests of what it ships.
inline std::string source_path(std::string_view relative)
{
    const char* root = std::getenv("SONDE_SOURCE");
    return (std::filesystem::path{root == nullptr ? "." : root} / relative).string();
}

inline std::string content_of(const std::string& file)
{
    std::ifstream in{file, std::ios::binary};
    REQUIRE_MESSAGE(in.is_open(), file);
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace sonde::tests
