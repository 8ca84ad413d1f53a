#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace sonde::checkers::http {

enum class Compression { none, identity, gzip, br, deflate };  // same numbers as in checks.proto

/// Undoes a compression as the bytes come (RFC 1952, RFC 1950/1951, RFC 7932).
class Decoder {
public:
    virtual ~Decoder() = default;

    /// Takes decoded bytes, at most 64 KiB at a time. @return whether more are wanted.
    using Taker = std::function<bool(std::string_view decoded)>;

    /// Decodes in pieces, so that a few bytes that stand for gigabytes do no harm. Must not be
    /// called again once `take` has refused. @return false when the bytes are not valid; `error`
    /// says why.
    virtual bool add(std::string_view bytes, const Taker& take) = 0;
    /// Whether the stream may end here.
    virtual bool complete() const = 0;
    std::string error;
};

/// What is wrong with a body (spec 02 §2.8).
enum class BodyProblem { none, malformed, truncated, too_large };

/// The body of the final response: decoded, counted, and kept as far as patterns need it.
class Body {
public:
    /// `limit`: largest decoded body when `keep`; without it the body is only counted.
    Body(Compression compression, std::size_t limit, bool keep);

    /// @return false when reading on is of no use.
    bool add(std::string_view bytes);
    /// The response has ended. `bodyless`: it was one that cannot have a body.
    void finish(bool bodyless);

    std::size_t received() const { return received_; }  ///< bytes as they came
    std::size_t length() const { return length_; }      ///< decoded bytes
    const std::string& text() const { return text_; }
    std::string take_text() { return std::move(text_); }
    BodyProblem problem() const { return problem_; }
    const std::string& error() const { return error_; }

private:
    bool keep_decoded(std::string_view decoded);

    std::unique_ptr<Decoder> decoder_;  // null: as it comes
    std::size_t limit_;
    bool keep_;
    std::size_t received_ = 0;
    std::size_t length_ = 0;
    std::string text_;
    BodyProblem problem_ = BodyProblem::none;
    std::string error_;
};

}  // namespace sonde::checkers::http
