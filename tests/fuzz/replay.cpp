// Runs a target on files instead of on inputs that libFuzzer thinks of: TARGET_fuzz FILE|FOLDER…
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay(const std::filesystem::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    const std::vector<char> bytes{std::istreambuf_iterator<char>{stream}, {}};
    std::fprintf(stderr, "%s\n", file.c_str());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int count, char** arguments)
{
    std::size_t files = 0;
    for (const std::filesystem::path path :
        std::vector<std::string>{arguments + 1, arguments + count})
        if (!std::filesystem::is_directory(path)) {
            replay(path);
            ++files;
        } else {
            for (const auto& entry : std::filesystem::directory_iterator{path}) {
                replay(entry.path());
                ++files;
            }
        }
    std::fprintf(stderr, "%zu inputs\n", files);
    return files > 0 ? 0 : 1;
}
