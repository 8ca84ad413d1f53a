#include "exporters/segment_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

namespace sonde::exporters::segment {
namespace {

constexpr std::string_view name_prefix = "segment-";
constexpr std::size_t number_digits = 10;
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t read_at_once = 1 << 20;

Error io_error(const std::string& path, int number)
{
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return error(
        full ? "disk_full" : "journal_io", "{}: {}", path, std::generic_category().message(number));
}

/// What cannot be read today and will not be tomorrow is not worth another try.
Error read_error(const std::string& path, int number)
{
    return error(number == EIO || number == ENOENT ? "corrupted" : "journal_io", "{}: {}", path,
        std::generic_category().message(number));
}

ssize_t read_some(int file, char* to, std::size_t count, std::size_t offset)
{
    for (;;) {
        const auto got = ::pread(file, to, count, static_cast<off_t>(offset));
        if (got >= 0 || errno != EINTR)
            return got;
    }
}

/// Reads `content.size()` bytes, or to the end. Where the disk fails, a page stays as it was.
Result<> read_readable(int file, std::string& content, const std::string& path)
{
    std::size_t done = 0;
    std::size_t step = read_at_once;
    while (done < content.size()) {
        const auto got =
            read_some(file, content.data() + done, std::min(step, content.size() - done), done);
        if (got == 0)
            break;
        if (got > 0)
            done += static_cast<std::size_t>(got);
        else if (errno != EIO)
            return read_error(path, errno);
        else if (std::exchange(step, page_bytes) == page_bytes)
            done += page_bytes - done % page_bytes;
    }
    content.resize(std::min(done, content.size()));
    return {};
}

std::optional<std::uint32_t> number_of(std::string_view name)
{
    if (!name.starts_with(name_prefix) || name.size() != name_prefix.size() + number_digits)
        return std::nullopt;
    std::uint32_t number = 0;
    const auto [end, bad] =
        std::from_chars(name.data() + name_prefix.size(), name.data() + name.size(), number);
    if (bad != std::errc{} || end != name.data() + name.size() || number == 0)
        return std::nullopt;
    return number;
}

Result<> make_folder(const std::string& path)
{
    std::error_code failure;
    const auto parent = std::filesystem::path{path}.parent_path();
    if (!parent.empty())
        std::filesystem::create_directories(parent, failure);
    if (failure)
        return io_error(parent, failure.value());
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return io_error(path, errno);
    return {};
}

/// Whoever holds the lock has written the number of its process into the file.
Error locked(const std::string& path, int file)
{
    std::array<char, 16> text{};
    const auto length = read_some(file, text.data(), text.size(), 0);
    const std::string_view holder{
        text.data(), static_cast<std::size_t>(std::max<ssize_t>(length, 0))};
    return error(
        "journal_locked", "{}: in use{}{}", path, holder.empty() ? "" : " by process ", holder);
}

}  // namespace

Descriptor::~Descriptor()
{
    if (number_ >= 0)
        ::close(number_);
}

Result<> SegmentFile::append(std::string_view bytes)
{
    unsynced_ = true;
    for (std::size_t done = 0; done < bytes.size();) {
        const auto wrote = ::pwrite(file_.get(), bytes.data() + done, bytes.size() - done,
            static_cast<off_t>(bytes_ + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            auto failure = io_error(path_, wrote == 0 ? ENOSPC : errno);
            spoilt_ = shorten(bytes_).has_error();
            return failure;
        }
        done += static_cast<std::size_t>(wrote);
    }
    bytes_ += bytes.size();
    return {};
}

Result<> SegmentFile::shorten(std::size_t bytes)
{
    if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0)
        return io_error(path_, errno);
    bytes_ = bytes;
    unsynced_ = true;
    return {};
}

Result<std::string> SegmentFile::read(std::size_t offset, std::size_t count) const
{
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
        const auto got = read_some(file_.get(), bytes.data() + done, count - done, offset + done);
        if (got < 0)
            return read_error(path_, errno);
        if (got == 0)
            break;
        done += static_cast<std::size_t>(got);
    }
    bytes.resize(done);
    return bytes;
}

Result<> SegmentFile::sync()
{
    if (::fdatasync(file_.get()) != 0)
        return io_error(path_, errno);
    unsynced_ = false;
    return {};
}

Result<> SegmentFolder::lock()
{
    if (auto made = make_folder(path_); made.has_error())
        return made;
    const auto path = path_ + "/lock";
    Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (!file.open())
        return io_error(path, errno);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? locked(path, file.get()) : io_error(path, errno);
    // Who holds it is told for people only; on a full disk nobody is told.
    const auto holder = std::to_string(::getpid());
    if (::ftruncate(file.get(), 0) == 0)
        static_cast<void>(::pwrite(file.get(), holder.data(), holder.size(), 0) > 0);
    lock_ = std::move(file);
    unsynced_ = true;
    return {};
}

Result<std::vector<std::uint32_t>> SegmentFolder::numbers() const
{
    std::vector<std::uint32_t> numbers;
    std::error_code failure;
    std::filesystem::directory_iterator file{path_, failure};
    for (; !failure && file != std::filesystem::directory_iterator{}; file.increment(failure))
        if (const auto number = number_of(file->path().filename().string()))
            numbers.push_back(*number);
    if (failure)
        return error("journal_io", "{}: {}", path_, failure.message());
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

Result<SegmentFile> SegmentFolder::create(std::uint32_t number)
{
    auto file = open(number, O_RDWR | O_CREAT | O_EXCL);
    unsynced_ = true;
    return file;
}

Result<SegmentFile> SegmentFolder::open_to_append(std::uint32_t number) const
{
    return open(number, O_RDWR);
}

Result<SegmentFile> SegmentFolder::open_to_read(std::uint32_t number) const
{
    return open(number, O_RDONLY);
}

Result<SegmentFile> SegmentFolder::open(std::uint32_t number, int flags) const
{
    const auto path = path_of(number);
    Descriptor file{::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600)};
    struct stat status{};
    if (!file.open() || ::fstat(file.get(), &status) != 0)
        return (flags & O_CREAT) != 0 ? io_error(path, errno) : read_error(path, errno);
    return SegmentFile{path, std::move(file), static_cast<std::size_t>(status.st_size)};
}

Result<std::string> SegmentFolder::content(std::uint32_t number, std::size_t limit) const
{
    const auto path = path_of(number);
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    struct stat status{};
    if (!file.open() || ::fstat(file.get(), &status) != 0)
        return read_error(path, errno);
    std::string content(std::min(static_cast<std::size_t>(status.st_size), limit), '\0');
    if (auto read = read_readable(file.get(), content, path); read.has_error())
        return read.error();
    return content;
}

Result<> SegmentFolder::remove(std::uint32_t number)
{
    const auto path = path_of(number);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return io_error(path, errno);
    unsynced_ = true;
    return {};
}

Result<> SegmentFolder::sync()
{
    if (!unsynced_)
        return {};
    const Descriptor folder{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder.open() || ::fsync(folder.get()) != 0)
        return io_error(path_, errno);
    unsynced_ = false;
    return {};
}

std::string SegmentFolder::path_of(std::uint32_t number) const
{
    return fmt::format("{}/{}{:0{}}", path_, name_prefix, number, number_digits);
}

}  // namespace sonde::exporters::segment
