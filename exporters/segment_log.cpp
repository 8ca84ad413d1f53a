#include "exporters/segment_log.h"

#include "exporters/segment_scanner.h"

#include <iterator>
#include <utility>

namespace sonde::exporters::segment {
namespace {

constexpr std::size_t largest_write = 128 << 20;
static_assert(largest_write <= max_file_bytes / 2, "what is appended must be read again");

std::size_t overhead_of(std::uint32_t segment, std::string_view bytes)
{
    Scanner scanner{bytes, segment};
    const auto first = scanner.next();
    return first && first->type == RecordType::checkpoint ? first->offset + first->bytes : 0;
}

}  // namespace

Result<> check_version(std::uint32_t segment, std::string_view bytes)
{
    const auto found = version_of(bytes);
    if (found && *found != version)
        return error("journal_io", "segment {} has format {}, this version of sonde knows {}",
            segment, *found, version);
    return {};
}

Result<> SegmentLog::open(
    const std::function<void(std::uint32_t segment, std::string_view bytes)>& show)
{
    if (auto locked = folder_.lock(); locked.has_error())
        return locked;
    const auto numbers = folder_.numbers();
    if (!numbers)
        return numbers.error();
    for (const auto number : *numbers) {
        const auto bytes = folder_.content(number, max_file_bytes);
        if (!bytes)
            return bytes.error();
        if (auto known = check_version(number, *bytes); known.has_error())
            return known;
        show(number, *bytes);
        files_[number] = {bytes->size(), overhead_of(number, *bytes)};
        next_ = number + 1;
    }
    return {};
}

void SegmentLog::resume(std::size_t torn_bytes)
{
    if (files_.empty())
        return;
    const auto last = std::prev(files_.end());
    const auto whole = last->second.bytes - torn_bytes;
    if (whole <= file_header_bytes) {
        if (!folder_.remove(last->first).has_error())
            files_.erase(last);
        return;
    }
    auto file = folder_.open_to_append(last->first);
    if (!file || (torn_bytes > 0 && file->shorten(whole).has_error()))
        return;
    last->second.bytes = whole;
    if (whole - last->second.overhead < segment_bytes_)
        current_ = std::move(*file);
}

SegmentLog::Prepared SegmentLog::prepare(const Fill& checkpoint, const Fill& fill) const
{
    Prepared prepared;
    prepared.segment = current_ ? files_.rbegin()->first : next_;
    Encoder encoder{prepared.segment, current_ ? current_->bytes() : 0};
    if (current_) {
        prepared.overhead = files_.rbegin()->second.overhead;
    } else {
        encoder.file_header();
        checkpoint(encoder);
        prepared.overhead = encoder.bytes().size();
    }
    fill(encoder);
    prepared.fits = encoder.fits() && encoder.bytes().size() <= largest_write;
    prepared.bytes = encoder.take();
    return prepared;
}

Result<> SegmentLog::write(const Prepared& prepared)
{
    if (!prepared.fits)
        return error("journal_io", "{} bytes at once are too many", prepared.bytes.size());
    const bool fresh = !current_;
    if (fresh)
        if (auto begun = begin(prepared.segment); begun.has_error())
            return begun;
    if (auto written = current_->append(prepared.bytes); written.has_error()) {
        if (fresh) {
            current_.reset();
            static_cast<void>(folder_.remove(prepared.segment).has_error());
        } else if (current_->spoilt()) {
            seal();
        }
        return written;
    }
    File& file = files_[prepared.segment];
    file = {current_->bytes(), prepared.overhead};
    if (file.bytes - file.overhead >= segment_bytes_)
        seal();
    return {};
}

Result<> SegmentLog::begin(std::uint32_t segment)
{
    auto file = folder_.create(segment);
    if (!file)
        return file.error();
    current_ = std::move(*file);
    next_ = segment + 1;
    return {};
}

void SegmentLog::seal()
{
    if (current_ && current_->unsynced())
        unsynced_.push_back(std::move(*current_));
    current_.reset();
}

Result<> SegmentLog::remove_first()
{
    if (auto synced = sync(); synced.has_error())
        return synced;
    const auto first = files_.begin();
    if (auto removed = folder_.remove(first->first); removed.has_error())
        return removed;
    if (reader_of_ == first->first)
        reader_.reset();
    files_.erase(first);
    return {};
}

Result<> SegmentLog::sync()
{
    for (; !unsynced_.empty(); unsynced_.pop_back())
        if (auto synced = unsynced_.back().sync(); synced.has_error())
            return synced;
    if (current_ && current_->unsynced())
        if (auto synced = current_->sync(); synced.has_error())
            return synced;
    return folder_.sync();
}

Result<std::string> SegmentLog::read(std::uint32_t segment, std::size_t offset, std::size_t count)
{
    if (is_open(segment))
        return current_->read(offset, count);
    if (!reader_ || reader_of_ != segment) {
        auto file = folder_.open_to_read(segment);
        if (!file)
            return file.error();
        reader_ = std::move(*file);
        reader_of_ = segment;
    }
    return reader_->read(offset, count);
}

Result<std::string> SegmentLog::content(std::uint32_t segment) const
{
    return folder_.content(segment, max_file_bytes);
}

std::size_t SegmentLog::bytes() const
{
    std::size_t all = 0;
    for (const auto& [number, file] : files_)
        all += file.bytes;
    return all;
}

}  // namespace sonde::exporters::segment
