#include "checkers/http/body.h"

#include <brotli/decode.h>
#include <fmt/format.h>
#include <zlib.h>

#include <array>

namespace sonde::checkers::http {
namespace {

constexpr std::size_t piece = 64 * 1024;

/// zlib's part of gzip and of "deflate".
class Inflating : public Decoder {
public:
    Inflating() = default;
    ~Inflating() override { inflateEnd(&stream_); }
    Inflating(const Inflating&) = delete;
    Inflating& operator=(const Inflating&) = delete;

    bool complete() const override { return complete_; }

protected:
    void give(std::string_view bytes)
    {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(bytes.size());
    }

    /// Decodes up to a piece of what was given. @return false: the taker has enough, or the bytes
    /// are bad, which `error` then says.
    bool step(const Taker& take)
    {
        std::array<char, piece>
            buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written first
        stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
        stream_.avail_out = buffer.size();
        const int status = inflate(&stream_, Z_NO_FLUSH);
        if (!take({buffer.data(), buffer.size() - stream_.avail_out}))
            return false;
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
            error = stream_.msg ? stream_.msg : "not compressed as its header says";
            return false;
        }
        complete_ = status == Z_STREAM_END;
        return true;
    }

    /// Whether another step would bring something out of what is inside.
    bool pending() const { return !complete_ && (stream_.avail_in > 0 || stream_.avail_out == 0); }

    z_stream stream_{};
    bool complete_ = false;
};

/// gzip with any number of members; what follows the last one must be one too.
class Gzip final : public Inflating {
public:
    Gzip() { inflateInit2(&stream_, 15 + 16); }

    bool add(std::string_view bytes, const Taker& take) override
    {
        give(bytes);
        for (bool more = !bytes.empty(); more; more = stream_.avail_in > 0 || pending()) {
            if (complete_)
                inflateReset(&stream_);
            if (!step(take))
                return error.empty();
        }
        return true;
    }
};

/// "deflate" is sent with and without zlib's frame: the first bytes tell.
class Deflate final : public Inflating {
public:
    bool add(std::string_view bytes, const Taker& take) override
    {
        if (complete_)
            return true;  // what follows the stream is ignored
        if (!started_) {
            head_ += bytes;
            if (head_.size() < 2)
                return true;
            const auto first = static_cast<unsigned char>(head_[0]);
            const auto second = static_cast<unsigned char>(head_[1]);
            const bool framed = (first & 15U) == 8 && (first * 256U + second) % 31 == 0;
            inflateInit2(&stream_, framed ? 15 : -15);
            started_ = true;
            bytes = head_;
        }
        give(bytes);
        do {
            if (!step(take))
                return error.empty();
        } while (pending());
        head_.clear();
        return true;
    }

private:
    std::string head_;
    bool started_ = false;
};

class Brotli final : public Decoder {
public:
    Brotli() : state_{BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)} {}
    ~Brotli() override { BrotliDecoderDestroyInstance(state_); }
    Brotli(const Brotli&) = delete;
    Brotli& operator=(const Brotli&) = delete;

    bool add(std::string_view bytes, const Taker& take) override
    {
        std::size_t left = bytes.size();
        const auto* next = reinterpret_cast<const std::uint8_t*>(bytes.data());
        for (bool more = true; more;) {
            std::array<std::uint8_t, piece>
                buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written first
            std::size_t room = buffer.size();
            std::uint8_t* into = buffer.data();
            const auto status =
                BrotliDecoderDecompressStream(state_, &left, &next, &room, &into, nullptr);
            if (!take({reinterpret_cast<const char*>(buffer.data()), buffer.size() - room}))
                return true;
            if (status == BROTLI_DECODER_RESULT_ERROR) {
                error = BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state_));
                return false;
            }
            more = status == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
        }
        if (complete() && left > 0) {
            error = "bytes after the end of the stream";
            return false;
        }
        return true;
    }
    bool complete() const override { return BrotliDecoderIsFinished(state_) != 0; }

private:
    BrotliDecoderState* state_;
};

std::unique_ptr<Decoder> decoder_for(Compression compression)
{
    switch (compression) {
    case Compression::gzip:
        return std::make_unique<Gzip>();
    case Compression::br:
        return std::make_unique<Brotli>();
    case Compression::deflate:
        return std::make_unique<Deflate>();
    default:
        return nullptr;
    }
}

}  // namespace

Body::Body(Compression compression, std::size_t limit, bool keep)
    : decoder_{decoder_for(compression)}, limit_{limit}, keep_{keep}
{}

bool Body::add(std::string_view bytes)
{
    received_ += bytes.size();
    if (problem_ == BodyProblem::too_large)
        return false;
    if (problem_ != BodyProblem::none)
        return true;  // drained all the same
    if (!decoder_)
        return keep_decoded(bytes);
    const auto take = [this](std::string_view decoded) { return keep_decoded(decoded); };
    if (!decoder_->add(bytes, take)) {
        problem_ = BodyProblem::malformed;
        error_ = decoder_->error;
    }
    return problem_ != BodyProblem::too_large;
}

bool Body::keep_decoded(std::string_view decoded)
{
    if (keep_ && length_ + decoded.size() > limit_) {
        length_ = limit_;
        problem_ = BodyProblem::too_large;
        error_ = fmt::format("more than {} bytes", limit_);
        return false;
    }
    length_ += decoded.size();
    if (keep_)
        text_ += decoded;
    return true;
}

void Body::finish(bool bodyless)
{
    if (!decoder_ || bodyless || problem_ != BodyProblem::none || decoder_->complete())
        return;
    problem_ = received_ == 0 ? BodyProblem::malformed : BodyProblem::truncated;
    error_ = received_ == 0 ? "there is no compressed data" : "the compressed data end too early";
}

}  // namespace sonde::checkers::http
