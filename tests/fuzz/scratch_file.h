#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace sonde::fuzz {

/// A file in a folder of its own, for parsers that read from a path; goes with the program.
class ScratchFile {
public:
    explicit ScratchFile(const std::string& name)
    {
        std::string folder = std::filesystem::temp_directory_path() / "sonde-fuzz-XXXXXX";
        if (::mkdtemp(folder.data()) == nullptr)
            std::abort();
        path_ = std::filesystem::path{folder} / name;
    }
    ~ScratchFile()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_.parent_path(), ignored);
    }
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    /// @return the path of the file, which now holds `content`.
    std::string write(std::string_view content) const
    {
        std::ofstream{path_, std::ios::binary} << content;
        return path_.string();
    }

private:
    std::filesystem::path path_;
};

}  // namespace sonde::fuzz
