#pragma once

#include "agent/base/error.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Segment files of the journal on disk; what stands in them is segment_format's matter.
namespace sonde::exporters::segment {

/// An open file; closed when this goes.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_{number} {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }

    int get() const { return number_; }
    bool open() const { return number_ >= 0; }

private:
    int number_ = -1;
};

/// One file, open. Failures are Error "disk_full" (no room, a quota, a limit of sizes) or
/// "journal_io"; the message names the file and what the system said.
class SegmentFile {
public:
    SegmentFile(std::string path, Descriptor file, std::size_t bytes)
        : path_{std::move(path)}, file_{std::move(file)}, bytes_{bytes}
    {}

    /// All of `bytes` or nothing: what could be written of it is taken back.
    Result<> append(std::string_view bytes);

    /// Cuts off what is behind `bytes`.
    Result<> shorten(std::size_t bytes);

    /// At most `count` bytes; fewer at the end of the file.
    /// @return Error "corrupted" where the disk cannot read, else "journal_io".
    Result<std::string> read(std::size_t offset, std::size_t count) const;

    /// Returns when the disk has it.
    Result<> sync();

    std::size_t bytes() const { return bytes_; }
    bool unsynced() const { return unsynced_; }
    /// What failed to be written could not be taken back: this file must not be appended to.
    bool spoilt() const { return spoilt_; }

private:
    std::string path_;
    Descriptor file_;
    std::size_t bytes_;
    bool unsynced_ = false;
    bool spoilt_ = false;
};

/// The folder of the segments, which are numbered.
class SegmentFolder {
public:
    explicit SegmentFolder(std::string path) : path_{std::move(path)} {}

    /// Makes the folder (0700) if need be and keeps others out for as long as this lives.
    /// @return Error "journal_locked", "journal_io", "disk_full".
    Result<> lock();

    /// The numbers of the segments there, ascending. @return Error "journal_io".
    Result<std::vector<std::uint32_t>> numbers() const;

    Result<SegmentFile> create(std::uint32_t number);
    Result<SegmentFile> open_to_append(std::uint32_t number) const;
    /// @return Error "corrupted" when there is none, else "journal_io".
    Result<SegmentFile> open_to_read(std::uint32_t number) const;

    /// The whole file, `limit` bytes at most; what the disk cannot read is zeros.
    /// @return Error "corrupted" when there is none, else "journal_io".
    Result<std::string> content(std::uint32_t number, std::size_t limit) const;

    Result<> remove(std::uint32_t number);

    /// Makes it last that files were made and removed.
    Result<> sync();

private:
    std::string path_of(std::uint32_t number) const;
    Result<SegmentFile> open(std::uint32_t number, int flags) const;

    std::string path_;
    Descriptor lock_;
    bool unsynced_ = false;
};

}  // namespace sonde::exporters::segment
