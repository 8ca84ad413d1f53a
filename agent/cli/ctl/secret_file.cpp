#include "agent/cli/ctl/secret_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sonde::cli::ctl {
namespace {

Error failed(const std::string& path)
{
    return error("secret_file", "{}: {}", path, std::strerror(errno));
}

}  // namespace

Result<SecretFile> SecretFile::prepare(const std::string& path)
{
    std::string temporary = path + ".XXXXXX";
    const int descriptor = ::mkstemp(temporary.data());  // 0600
    if (descriptor < 0)
        return failed(path);
    return SecretFile{path, std::move(temporary), descriptor};
}

SecretFile::SecretFile(std::string path, std::string temporary, int descriptor)
    : path_{std::move(path)}, temporary_{std::move(temporary)}, descriptor_{descriptor}
{}

SecretFile::SecretFile(SecretFile&& other) noexcept
    : path_{std::move(other.path_)}, temporary_{std::exchange(other.temporary_, {})},
      descriptor_{std::exchange(other.descriptor_, -1)}
{}

SecretFile::~SecretFile()
{
    if (descriptor_ >= 0)
        ::close(descriptor_);
    if (!temporary_.empty())
        ::unlink(temporary_.c_str());
}

Result<> SecretFile::write(std::string_view secret)
{
    std::string line{secret};
    line += '\n';
    for (std::size_t done = 0; done < line.size();) {
        const auto count = ::write(descriptor_, line.data() + done, line.size() - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return failed(path_);
        done += static_cast<std::size_t>(count);
    }
    if (::fsync(descriptor_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
        return failed(path_);
    temporary_.clear();
    return {};
}

}  // namespace sonde::cli::ctl
