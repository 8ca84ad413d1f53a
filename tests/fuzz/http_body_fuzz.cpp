// Compressed bodies of HTTP responses: checkers/http/body.
#include "checkers/http/body.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/deflated.h"

#include <algorithm>
#include <array>

namespace {

using namespace sonde;
using checkers::http::Body;
using checkers::http::BodyProblem;

constexpr std::size_t limit = 256 * 1024;

/// The body when its bytes come in pieces of `piece`, as far as it wants to have them.
Body received(
    checkers::http::Compression compression, bool keep, std::string_view bytes, std::size_t piece)
{
    Body body{compression, limit, keep};
    bool more = true;
    while (more && !bytes.empty()) {
        more = body.add(bytes.substr(0, piece));
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    if (more)
        body.finish(false);
    return body;
}

/// The input, often enough to fill several pieces, is what comes out again.
void round_trip(fuzz::Input input)
{
    struct Format {
        checkers::http::Compression compression;
        int window_bits;
    };
    static constexpr std::array<Format, 3> formats{{{checkers::http::Compression::gzip, 15 + 16},
        {checkers::http::Compression::deflate, 15}, {checkers::http::Compression::deflate, -15}}};
    const Format format = formats.at(input.choice(formats.size()));
    const std::size_t size = 65536 * (1 + input.choice(2)) + input.choice(256);
    std::string content;
    while (!input.empty() && content.size() < size)
        content += input.rest();
    content.resize(std::min(content.size(), size));
    const Body body =
        received(format.compression, true, tests::deflated(content, format.window_bits), 1 << 14);
    fuzz::require(body.problem() == BodyProblem::none && body.text() == content,
        "what zlib has compressed comes out again");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    fuzz::Input input{data, size};
    const unsigned choice = input.choice(6);
    if (choice == 5) {
        round_trip(input);
        return 0;
    }
    const auto compression = checkers::http::Compression{static_cast<int>(choice)};
    const auto bytes = input.rest();

    const Body whole = received(compression, true, bytes, bytes.size());
    fuzz::require(whole.received() == bytes.size(), "all bytes are counted");
    fuzz::require(whole.length() <= limit, "the limit is kept");
    if (whole.problem() == BodyProblem::none) {
        fuzz::require(whole.text().size() == whole.length(), "all that was decoded is kept");
        fuzz::require(whole.error().empty(), "what is fine has no error");
    } else {
        fuzz::require(!whole.error().empty(), "a problem is explained");
    }

    const Body bytewise = received(compression, true, bytes, 1);
    fuzz::require(bytewise.problem() == whole.problem(), "how the bytes come makes no difference");
    if (whole.problem() == BodyProblem::none || whole.problem() == BodyProblem::truncated)
        fuzz::require(bytewise.text() == whole.text(), "nor to what is decoded");

    const Body counted = received(compression, false, bytes, bytes.size());
    fuzz::require(counted.text().empty(), "what no pattern needs is not kept");
    if (whole.problem() != BodyProblem::too_large)
        fuzz::require(counted.length() == whole.length(), "but counted");
    return 0;
}
