#pragma once

#include "agent/base/error.h"
#include "exporters/segment_file.h"
#include "exporters/segment_format.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sonde::exporters::segment {

/// Segment files as one log: appended to at the end, taken away at the beginning. The last segment
/// is never taken away, for what it repeats in its checkpoint stands nowhere else.
class SegmentLog {
public:
    using Fill = std::function<void(Encoder&)>;

    struct File {
        std::size_t bytes = 0;
        std::size_t overhead = 0;  ///< of these, of its header and checkpoint
    };

    /// Bytes that have a place, but are not written yet.
    struct Prepared {
        std::uint32_t segment = 0;
        std::size_t overhead = 0;
        std::string bytes;
        bool fits = true;  ///< false: too much to be written at once
    };

    /// @param segment_bytes so many, besides the overhead, and the next write begins a new one.
    SegmentLog(std::string directory, std::size_t segment_bytes)
        : folder_{std::move(directory)}, segment_bytes_{segment_bytes}
    {}

    /// Takes the directory and shows what stands in it, oldest first.
    /// @return Error "journal_locked", "journal_io", "disk_full".
    Result<> open(const std::function<void(std::uint32_t segment, std::string_view bytes)>& show);

    /// Goes on at the end of what open() has shown, without the last `torn_bytes`. Where that
    /// cannot be done the next write begins a new segment.
    void resume(std::size_t torn_bytes);

    /// @param checkpoint adds what a segment begins with, if this begins one.
    Prepared prepare(const Fill& checkpoint, const Fill& fill) const;
    /// All or nothing; nothing else may have been written since it was prepared.
    /// @return Error "disk_full", "journal_io".
    Result<> write(const Prepared& prepared);

    /// Of the next segments, and of the one that is appended to.
    void set_segment_bytes(std::size_t bytes) { segment_bytes_ = bytes; }

    /// The next write begins a new segment.
    void seal();

    /// Takes the first segment away once all that was written later is on the disk. Not the last.
    Result<> remove_first();

    Result<> sync();

    /// As SegmentFile::read.
    Result<std::string> read(std::uint32_t segment, std::size_t offset, std::size_t count);
    Result<std::string> content(std::uint32_t segment) const;

    const std::map<std::uint32_t, File>& files() const { return files_; }
    bool is_last(std::uint32_t segment) const { return files_.rbegin()->first == segment; }
    bool is_open(std::uint32_t segment) const { return current_ && is_last(segment); }
    std::size_t bytes() const;

private:
    Result<> begin(std::uint32_t segment);

    SegmentFolder folder_;
    std::size_t segment_bytes_;
    std::map<std::uint32_t, File> files_;
    std::uint32_t next_ = 1;              ///< number of the next segment
    std::optional<SegmentFile> current_;  ///< the last, while it is appended to
    std::vector<SegmentFile> unsynced_;   ///< sealed, and maybe not on the disk yet
    std::optional<SegmentFile> reader_;   ///< the sealed one that was read from last,
    std::uint32_t reader_of_ = 0;         ///< and its number
};

/// @return Error "journal_io" when a segment is of a format that this version does not know.
Result<> check_version(std::uint32_t segment, std::string_view bytes);

}  // namespace sonde::exporters::segment
